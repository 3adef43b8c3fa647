"""Decisions and state to an MQTT broker: absent at boot, restarted or hanging, it costs the loop nothing."""

from __future__ import annotations

import contextlib
import logging
import queue
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.clock import Patience
from edge.errors import ConfigError, MissingInputError, MissingLibraryError, UnavailableError
from edge.journal import Entry, Outbox
from edge.publishers.commands import COMMAND_TOPICS
from edge.publishers.courier import Courier
from edge.publishers.state import count_topic
from edge.records import DecisionRecord

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_log = logging.getLogger(__name__)

_QOS = 1
_MAX_INCOMING_BYTES = 64 * 1024

ONLINE = "online"
OFFLINE = "offline"

# How soon a waiting delivery notices that it should stop.
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """The broker and how to get in; `device_id` names the bin in topics and to the broker.

    `use_tls` checks the broker against the system's certificates, `ca_file` against that file;
    `certificate_file` with `key_file` adds the bin's own. Between attempts to connect lie `retry_min_s`
    to `retry_max_s`, doubling. MQTT 5 lets the bin refuse huge messages; `speaks_5=False`
    is for brokers that know 3.1.1 only.
    """

    device_id: str
    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    use_tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = 30
    retry_min_s: float = 1.0
    retry_max_s: float = 60.0
    speaks_5: bool = True

    @property
    def prefix(self) -> str:
        """Where this bin's topics begin."""
        return f"sorter/{self.device_id}"

    @property
    def address(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A retained message outside the bin's own topics, sent again when `repeat_topic` says `repeat_payload`."""

    topic: str
    payload: str
    repeat_topic: str
    repeat_payload: str


class MqttPublisher:
    """Everything below `sorter/<id>`; a Publisher.

    Each decision goes out with QoS 1 and is crossed off in the outbox when the broker has acknowledged
    its message id. The session is clean: the outbox remembers better than a broker does. Retained
    topics are kept here and sent again on every connect, since a broker without persistence forgets
    them. `counts` gives the items of each bin (`Journal.counts`). `on_command` is given what arrives on
    the command topics (topic without prefix, payload), from the network's thread; without it the bin
    does not listen. Public methods may be called from any thread and never block on the network.

    Raises:
        MissingLibraryError: paho-mqtt is not installed.
        MissingInputError, ConfigError: a certificate is not there or cannot be used.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        counts: Callable[[], Mapping[str, int]] = dict[str, int],
        on_command: Callable[[str, bytes], None] | None = None,
        announcement: Announcement | None = None,
    ) -> None:
        self._settings = settings
        self._counts = counts
        self._on_command = on_command
        self._announcement = announcement
        self._courier = Courier(outbox, self._deliver)
        self._is_connected = threading.Event()
        self._receipts: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._retained: dict[str, str] = {}
        self._retained_lock = threading.Lock()
        self._problem: str | None = _not_reached(settings)
        self._client = _make_client(settings)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message

    @property
    def problem(self) -> str | None:
        """Why nothing can be told at present; None while connected."""
        return self._problem

    def start(self) -> None:
        settings = self._settings
        self._client.connect_async(
            settings.host, settings.port, settings.keepalive_s, properties=_limits() if settings.speaks_5 else None
        )
        self._client.loop_start()
        self._courier.start()

    def tell(self, record: DecisionRecord) -> None:
        self.retain("last", record.to_json())
        for bin_name, count in self._counts().items():
            self.retain(count_topic(bin_name), str(count))
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
            farewell = self._client.publish(self._topic("availability"), OFFLINE, _QOS, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):  # the broker went away meanwhile: the will speaks
                farewell.wait_for_publish(patience.next_s())
        self._client.disconnect()
        # paho's own join has no bound, and a hanging broker can hold it for minutes.
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt-stop", daemon=True)
        stopper.start()
        stopper.join(patience.next_s())

    def send(self, topic: str, payload: str | bytes) -> None:
        """Say `payload` on `<prefix>/<topic>` to whoever listens now; lost when the broker is away."""
        self._client.publish(self._topic(topic), payload, qos=0)

    def retain(self, topic: str, payload: str) -> None:
        """Set what `<prefix>/<topic>` says from now on, also to those who come later."""
        with self._retained_lock:
            if self._retained.get(topic) == payload:
                return
            self._retained[topic] = payload
            # Not QoS 1: after a reconnect paho would send an unacknowledged old value behind the new one.
            self._client.publish(self._topic(topic), payload, qos=0, retain=True)

    def _topic(self, topic: str) -> str:
        return f"{self._settings.prefix}/{topic}"

    def _deliver(self, entry: Entry, stopping: threading.Event) -> bool:
        # paho would send even before the broker has let the bin in, and so before it has introduced itself.
        while not self._is_connected.wait(_POLL_S):
            if stopping.is_set():
                return False
        # Every message has a receipt, and their ids come round: those of earlier ones say nothing of this one.
        self._receipts = queue.SimpleQueue()
        # If the broker goes now, paho keeps this one message and sends it, unchanged, when it is back.
        message_id = self._client.publish(self._topic("decision"), entry.record, _QOS).mid
        while not stopping.is_set():
            with contextlib.suppress(queue.Empty):
                if self._receipts.get(timeout=_POLL_S) == message_id:
                    return True
        return False

    def _on_publish(self, _client: Client, _data: object, message_id: int, *_: object) -> None:
        self._receipts.put(message_id)

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._away(f"refused: {reason}; check user, password and the broker's access list")
            return
        self._problem = None
        _log.info("broker %s: connected", self._settings.address)
        if self._on_command is not None:
            self._client.subscribe([(self._topic(topic), _QOS) for topic in COMMAND_TOPICS])
        if self._announcement is not None:
            self._client.subscribe(self._announcement.repeat_topic, _QOS)
        self._introduce()
        self._is_connected.set()

    def _introduce(self) -> None:
        """Say everything that is retained; whoever is told of the bin for the first time needs all of it."""
        if self._announcement is not None:
            self._client.publish(self._announcement.topic, self._announcement.payload, qos=0, retain=True)
        self._client.publish(self._topic("availability"), ONLINE, qos=0, retain=True)
        with self._retained_lock:
            for topic, payload in self._retained.items():
                self._client.publish(self._topic(topic), payload, qos=0, retain=True)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        announcement = self._announcement
        if announcement is not None and message.topic == announcement.repeat_topic:
            # Its retained copy came with the subscription, and _on_connect has just introduced the bin.
            if not message.retain and message.payload == announcement.repeat_payload.encode():
                self._introduce()
        elif message.retain:
            _log.warning("%s: a retained command is not obeyed; it would be again on every connect", message.topic)
        elif self._on_command is not None:
            self._on_command(message.topic.removeprefix(f"{self._settings.prefix}/"), bytes(message.payload))

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        self._away(_why_unreachable(sys.exception()))  # paho calls from where it has caught it

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._is_connected.clear()
        # paho also reports a refusal so, which has said better why.
        if reason.is_failure and self._problem is None:
            self._away(f"connection lost: {reason}")
        elif reason.is_failure and self._problem == _not_reached(self._settings):
            self._away(_hung_up(reason))

    def _away(self, why: str) -> None:
        problem = f"broker {self._settings.address}: {why}"
        # A broker that is away for a week is worth one warning, not ten thousand.
        _log.log(logging.DEBUG if problem == self._problem else logging.WARNING, "%s", problem)
        self._problem = problem


def _not_reached(settings: MqttSettings) -> str:
    return f"broker {settings.address}: not reached yet"


def _hung_up(reason: ReasonCode) -> str:
    # So does one that wants a certificate and gets none, or another's (TLS 1.3).
    return f"hung up before it let the bin in ({reason}); check port, certificate_file and key_file"


def _why_unreachable(error: BaseException | None) -> str:
    """What kept a connection from being made, and what to look at."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}); check ca_file, certificates, host and port"
    if isinstance(error, OSError):
        return f"cannot be reached ({error.strerror or error}); check host, port and network"
    return "cannot be reached; check host, port and network"


def _make_client(settings: MqttSettings) -> Client:
    try:
        from paho.mqtt.client import Client  # noqa: PLC0415 - only where a broker is configured
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibraryError.of_extra("MQTT", "paho-mqtt", "mqtt") from error
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"sorter-{settings.device_id}",
        protocol=MQTTProtocolVersion.MQTTv5 if settings.speaks_5 else MQTTProtocolVersion.MQTTv311,
    )
    # paho says int, but only doubles, caps and sleeps.
    client.reconnect_delay_set(settings.retry_min_s, settings.retry_max_s)  # type: ignore[arg-type]
    client.will_set(f"{settings.prefix}/availability", OFFLINE, _QOS, retain=True)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password)
    if (context := tls_context(settings)) is not None:
        client.tls_set_context(context)
    return client


def _limits() -> Properties:
    """The largest message that the broker may send: commands have a few bytes, and memory is scarce."""
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limits.MaximumPacketSize = _MAX_INCOMING_BYTES
    return limits


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """How the connection is secured; None when it is not.

    Raises:
        MissingInputError, ConfigError: a certificate or key is not there, or cannot be used.
    """
    if not settings.use_tls and settings.ca_file is None and settings.certificate_file is None:
        return None
    for path in (settings.ca_file, settings.certificate_file, settings.key_file):
        if path is not None and not path.is_file():
            raise MissingInputError(f"{path}: expected a certificate or key in PEM form, found no file")
    try:
        context = ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
        if settings.certificate_file is not None:
            # Never ask a terminal for a passphrase: a service would wait for ever.
            context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(f"TLS to {settings.address}: the certificates cannot be used: {error}") from error
    return context


def greet(settings: MqttSettings, timeout_s: float = 5.0) -> None:
    """Connect and leave again, under another name than the bin's own, which may be connected at the same time.

    Raises:
        UnavailableError: the broker cannot be reached, or does not let the bin in.
        MissingLibraryError, MissingInputError, ConfigError: as for `MqttPublisher`.
    """
    client = _make_client(replace(settings, device_id=f"{settings.device_id}-doctor"))
    client.will_clear()
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def on_connect(_client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
        answers.put(
            f"refused: {reason}; check user, password and the broker's access list" if reason.is_failure else None
        )

    def on_disconnect(_client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _: object) -> None:
        answers.put(_hung_up(reason))

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    try:
        client.connect(settings.host, settings.port, keepalive=settings.keepalive_s)
        client.loop_start()
        why = answers.get(timeout=timeout_s)
    except queue.Empty:
        why = f"no answer within {timeout_s:g} s; check that it speaks MQTT"
    except OSError as error:
        why = _why_unreachable(error)
    finally:
        client.disconnect()
        client.loop_stop()
    if why is not None:
        raise UnavailableError(f"broker {settings.address}: {why}")
