"""Decisions and state to an MQTT broker: absent at boot, restarted or hanging, it costs the loop nothing."""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.clock import Patience
from edge.journal import Entry, Outbox
from edge.publishers.commands import COMMAND_TOPICS
from edge.publishers.connection import (
    NO_RECEIPT,
    OF_THE_MESSAGE,
    QOS,
    MqttSettings,
    Steadiness,
    limits,
    make_client,
    not_begun,
    not_let_in,
    num_sent_bytes,
    refused,
    thrown_out,
    too_large,
    wait_at_connecting,
    why_unreachable,
)
from edge.publishers.courier import Courier
from edge.records import DecisionRecord

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_log = logging.getLogger(__name__)


ONLINE = "online"
OFFLINE = "offline"

# How soon a waiting delivery notices that it should stop.
_POLL_S = 0.2

# How many times its keepalive a broker has for a receipt: one that went without a word is known to be away after two.
_NUM_KEEPALIVES = 3


@dataclass(frozen=True, slots=True)
class Announcement:
    """A retained message outside the bin's own topics, sent again when `repeat_topic` says `repeat_payload`.

    An empty `payload` takes it down.
    """

    topic: str
    payload: str
    repeat_topic: str
    repeat_payload: str


class MqttPublisher:
    """Everything below `sorter/<id>`; a Publisher.

    Each decision goes out with QoS 1 and is crossed off in the outbox when the broker has taken it, by
    its message id; one that it refuses is offered again every `retry_max_s`, and left out where it is at
    fault itself. What is more than the broker takes in one message (MQTT 5) is not sent. The session is clean: the
    outbox remembers better than a broker does. Retained topics are kept here and sent again on every
    connect, since a broker without persistence forgets them. `on_command` is given what arrives on the
    command topics (topic without prefix, payload), from the network's thread; without it the bin does not
    listen. Public methods may be called from any thread and never block on the network.

    Raises:
        MissingLibraryError: paho-mqtt is not installed.
        MissingInputError, ConfigError: a certificate is not there or cannot be used.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        on_command: Callable[[str, bytes], None] | None = None,
        announcement: Announcement | None = None,
    ) -> None:
        self._settings = settings
        self._on_command = on_command
        self._announcement = announcement
        self._courier = Courier(outbox, self._deliver, lambda stopping: stopping.wait(settings.retry_max_s))
        self._is_connected = threading.Event()
        # Only while a decision waits for its own: every message has one, and there may be days between decisions.
        self._receipts: queue.SimpleQueue[tuple[int, ReasonCode]] | None = None
        self._retained: dict[str, str] = {}
        self._retained_lock = threading.Lock()
        self._not_reached = f"broker {settings.address}: not reached yet"
        self._problem: str | None = self._not_reached
        self._refusal: str | None = None
        self._deafness: str | None = None
        self._warned: set[str] = set()
        self._max_bytes: int | None = None
        self._steadiness = Steadiness(settings)
        self._unsteadiness: str | None = None
        self._client = make_client(settings)
        self._client.will_set(self._topic("availability"), OFFLINE, QOS, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    @property
    def problem(self) -> str | None:
        """Why something cannot be told, or no command be heard, at present; None when all can."""
        if self._unsteadiness is not None and self._is_connected.is_set() and self._steadiness.holds():
            self._unsteadiness = None
        return self._problem or self._unsteadiness or self._refusal or self._deafness

    def start(self) -> None:
        settings = self._settings
        self._client.connect_async(
            settings.host, settings.port, settings.keepalive_s, properties=limits() if settings.speaks_5 else None
        )
        self._client.loop_start()
        self._courier.start()

    def tell(self, record: DecisionRecord) -> None:
        self.retain("last", record.to_json())
        self._courier.wake()

    def flush(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; whether it has. Not for the loop's thread."""
        return self._courier.flush(timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        patience = Patience(timeout_s)
        if self._is_connected.is_set():
            self._courier.flush(patience.next_s())
        self._courier.stop(patience.next_s())
        if self._is_connected.is_set():
            # The last will speaks only for connections that break; one that ends well says so itself.
            farewell = self._client.publish(self._topic("availability"), OFFLINE, QOS, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):  # the broker went away meanwhile: the will speaks
                farewell.wait_for_publish(patience.next_s())
        self._client.disconnect()
        # paho's own join has no bound, and a hanging broker can hold it for minutes.
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(patience.next_s())

    def send(self, topic: str, payload: str | bytes) -> None:
        """Say `payload` on `<prefix>/<topic>` to whoever listens now; lost when the broker is away."""
        self._say(self._topic(topic), payload)

    def retain(self, topic: str, payload: str) -> None:
        """Set what `<prefix>/<topic>` says from now on, also to those who come later; empty, it is taken down."""
        with self._retained_lock:
            if self._retained.get(topic) == payload:
                return
            self._retained[topic] = payload
            # Not QoS 1: after a reconnect paho would send an unacknowledged old value behind the new one.
            self._say(self._topic(topic), payload, retain=True)

    def _topic(self, topic: str) -> str:
        return f"{self._settings.prefix}/{topic}"

    def _deliver(self, entry: Entry, stopping: threading.Event) -> bool | None:
        while (reason := self._offer(entry, stopping)) is not None:
            if not reason.is_failure:
                self._refusal = None
                return True
            self._refusal = self._warn(refused(reason, self._settings))
            if reason.value in OF_THE_MESSAGE:
                return False
            stopping.wait(self._settings.retry_max_s)
        return None

    def _offer(self, entry: Entry, stopping: threading.Event) -> ReasonCode | None:
        """What the broker answered to the decision; None when `stopping` was set before it did."""
        # paho would send even before the broker has let the bin in, and so before it has introduced itself.
        while not self._is_connected.wait(_POLL_S):
            if stopping.is_set():
                return None
        topic = self._topic("decision")
        if not self._fits(topic, entry.record):
            return too_large()
        receipts: queue.SimpleQueue[tuple[int, ReasonCode]] = queue.SimpleQueue()
        self._receipts = receipts
        try:
            # If the broker goes now, paho keeps this one message and sends it, unchanged, when it is back.
            sent_id = self._client.publish(topic, entry.record, QOS).mid
            patience_s = _NUM_KEEPALIVES * self._settings.keepalive_s
            overdue_at_s = time.monotonic() + patience_s
            while not stopping.is_set():
                with contextlib.suppress(queue.Empty):
                    message_id, reason = receipts.get(timeout=_POLL_S)
                    if message_id == sent_id:
                        return reason
                if not self._is_connected.is_set():
                    overdue_at_s = time.monotonic() + patience_s
                elif self._refusal is None and time.monotonic() > overdue_at_s:
                    self._refusal = self._warn(NO_RECEIPT)
        finally:
            self._receipts = None
        return None

    def _say(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        """Publish with QoS 0 what the broker takes; it would hang up on the bin for more."""
        if self._fits(topic, payload):
            self._client.publish(topic, payload, qos=0, retain=retain)
        else:
            limit = f"takes at most {self._max_bytes} bytes in one message"
            self._log_once(f"broker {self._settings.address}: {limit}; what is longer on {topic} is not told")

    def _fits(self, topic: str, payload: str | bytes) -> bool:
        return self._max_bytes is None or num_sent_bytes(topic, payload) <= self._max_bytes

    def _on_publish(self, _client: Client, _data: object, message_id: int, reason: ReasonCode, _: object) -> None:
        if (receipts := self._receipts) is not None:
            receipts.put((message_id, reason))

    def _on_subscribe(
        self, _client: Client, _data: object, _message_id: int, reasons: list[ReasonCode], _: object
    ) -> None:
        if codes := [reason for reason in reasons if reason.is_failure]:
            self._deafness = self._warn(
                f"lets the bin hear no command ({codes[0]}); let this user read {self._topic('#')} in its access list"
            )

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._problem = self._warn(not_let_in(reason))
            return
        self._problem = self._deafness = None
        self._steadiness.begin()
        self._max_bytes = getattr(properties, "MaximumPacketSize", None)
        _log.info("broker %s: connected", self._settings.address)
        if self._on_command is not None:
            self._client.subscribe([(self._topic(topic), QOS) for topic in COMMAND_TOPICS])
        if self._announcement is not None and self._announcement.payload:
            self._client.subscribe(self._announcement.repeat_topic, QOS)
        self._introduce()
        self._is_connected.set()

    def _introduce(self) -> None:
        """Say everything that is retained; whoever is told of the bin for the first time needs all of it."""
        if self._announcement is not None:
            self._say(self._announcement.topic, self._announcement.payload, retain=True)
        self._say(self._topic("availability"), ONLINE, retain=True)
        with self._retained_lock:
            for topic, payload in self._retained.items():
                self._say(self._topic(topic), payload, retain=True)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        announcement = self._announcement
        if announcement is not None and message.topic == announcement.repeat_topic:
            # Its retained copy came with the subscription, and _on_connect has just introduced the bin.
            if not message.retain and message.payload == announcement.repeat_payload.encode():
                self._introduce()
        elif message.retain:
            self._log_once(f"{message.topic}: a retained command is not obeyed; it would be again on every connect")
        elif self._on_command is not None:
            self._on_command(message.topic.removeprefix(f"{self._settings.prefix}/"), bytes(message.payload))

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        self._problem = self._warn(why_unreachable(sys.exception()))  # paho calls from where it has caught it

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._is_connected.clear()
        if not reason.is_failure:
            return
        # paho also reports a refusal so, which has said better why.
        if self._problem is None:
            self._lose(reason)
        elif self._problem == self._not_reached:
            self._problem = self._warn(not_begun(reason))

    def _lose(self, reason: ReasonCode) -> None:
        """The connection ended: say why, and how long to wait; what did not hold is a problem until one does."""
        has_held = self._steadiness.end()
        wait_at_connecting(self._client, self._settings, self._steadiness.delay_s)
        if has_held:
            self._warned.clear()
        self._problem = self._warn(f"connection lost: {reason}" if has_held else thrown_out(reason, self._settings))
        self._unsteadiness = None if has_held else self._problem

    def _warn(self, why: str) -> str:
        """The problem as a sentence, which is logged."""
        problem = f"broker {self._settings.address}: {why}"
        self._log_once(problem)
        return problem

    def _log_once(self, sentence: str) -> None:
        """Once since the last connection that held: a week without a broker is worth one warning, not ten thousand."""
        _log.log(logging.DEBUG if sentence in self._warned else logging.WARNING, "%s", sentence)
        self._warned.add(sentence)
