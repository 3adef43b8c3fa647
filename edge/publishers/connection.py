"""The way to an MQTT broker: where it is, how to get in, and in an owner's words why that fails."""

from __future__ import annotations

import queue
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError, MissingInputError, MissingLibraryError, UnavailableError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

QOS = 1
_MAX_INCOMING_BYTES = 64 * 1024
NO_ANSWER = "takes the connection and gives no answer; check that it is well, and that it speaks MQTT on this port"
NO_RECEIPT = "takes a decision and gives no receipt, so all later ones wait; see its log, and whether its disk is full"
# Why a broker refuses a message where this very one is at fault: implementation specific (it checks what is in it),
# topic name, packet size, payload format. MQTT 5.0, section 2.4.
OF_THE_MESSAGE = frozenset({0x83, 0x90, 0x95, 0x99})
# The broker has no retained messages, or no QoS 1.
_TOO_LITTLE = frozenset({0x9A, 0x9B})
# What paho calls a broker that keeps silent for longer than keepalive_s.
_KEEP_ALIVE_TIMEOUT = 0x8D
# What a message needs besides topic and payload: header, lengths, id.
_OVERHEAD_BYTES = 16


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


class Steadiness:
    """Whether connections hold, and how long to wait for the next one.

    Longer and longer after those that do not: two bins of one name, as two copies of a card are, throw each other
    out, and would do so every second for years. `now_s` is monotonic. Any thread may ask.
    """

    def __init__(self, settings: MqttSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now_s = now_s
        self._began_at_s = now_s()
        self.delay_s = settings.retry_min_s

    def begin(self) -> None:
        """The broker has let the bin in."""
        self._began_at_s = self._now_s()

    def holds(self) -> bool:
        """Whether the connection has lasted for longer than another bin of this name would let it."""
        return self._now_s() - self._began_at_s >= max(self._settings.keepalive_s, 2 * self.delay_s)

    def end(self) -> bool:
        """The connection was lost: whether it had held. `delay_s` is how long to wait before the next one."""
        has_held = self.holds()
        self.delay_s = self._settings.retry_min_s if has_held else min(2 * self.delay_s, self._settings.retry_max_s)
        return has_held


def not_begun(reason: ReasonCode) -> str:
    """The connection ended before the bin was let in."""
    return NO_ANSWER if reason.value == _KEEP_ALIVE_TIMEOUT else hung_up(reason)


def hung_up(reason: ReasonCode | str) -> str:
    """It ended the connection without an answer, as one does that wants a certificate and gets none (TLS 1.3)."""
    return f"hung up before it let the bin in ({reason}); check port, use_tls, certificate_file and key_file"


def not_let_in(reason: ReasonCode) -> str:
    """It answered, and said no."""
    if reason.value in _TOO_LITTLE:
        return f"refused: {reason}; the bin needs retained messages and QoS 1, allow them at the broker"
    return f"refused: {reason}; check user, password and the broker's access list"


def thrown_out(reason: ReasonCode, settings: MqttSettings) -> str:
    """It let the bin in, and ended the connection at once."""
    return (
        f"lets the bin in and throws it out again ({reason}); see the broker's log, and whether another bin has the"
        f" device.id {settings.device_id}, too, such as one that began with a copy of this card"
    )


def refused(reason: ReasonCode, settings: MqttSettings) -> str:
    """It lets the bin in, and takes no message, or not this one."""
    if reason.value in OF_THE_MESSAGE:
        return f"refuses a decision ({reason}); see what it checks and how long a message may be"
    return f"refuses what the bin tells ({reason}); let this user write to {settings.prefix}/# in its access list"


def why_unreachable(error: BaseException | None) -> str:
    """What kept a connection from being made, and what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # A device without a battery clock takes every certificate for one of the future.
        return (
            f"is not trusted ({error.verify_message}); check ca_file, host, the broker's certificate and the date here"
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}); check ca_file, certificates, host and port"
    if isinstance(error, ConnectionResetError):
        return hung_up(str(error.strerror))
    if isinstance(error, OSError):
        return f"cannot be reached ({error.strerror or error}); check host, port and network"
    return "cannot be reached; check host, port and network"


def make_client(settings: MqttSettings) -> Client:
    """A client that is not connected yet.

    Raises:
        MissingLibraryError: paho-mqtt is not installed.
        MissingInputError, ConfigError: as `tls_context`.
    """
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
    wait_at_connecting(client, settings, settings.retry_min_s)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password)
    if (context := tls_context(settings)) is not None:
        client.tls_set_context(context)
    return client


def wait_at_connecting(client: Client, settings: MqttSettings, first_s: float) -> None:
    """Wait up to `first_s` before the next attempt to connect, then longer and longer."""
    # Jitter keeps a hundred bins from coming back to a broker at the same moment.
    share = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    # paho says int, but only doubles, caps and sleeps.
    client.reconnect_delay_set(share * first_s, share * settings.retry_max_s)  # type: ignore[arg-type]


def limits() -> Properties:
    """The largest message that the broker may send: commands have a few bytes, and memory is scarce."""
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    stated = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    stated.MaximumPacketSize = _MAX_INCOMING_BYTES
    return stated


def num_sent_bytes(topic: str, payload: str | bytes) -> int:
    """How long the message is at most, on its way."""
    return len(topic.encode()) + len(payload.encode() if isinstance(payload, str) else payload) + _OVERHEAD_BYTES


def too_large() -> ReasonCode:
    """What a broker would answer to a message that is longer than it allows, as it hangs up."""
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.reasoncodes import ReasonCode  # noqa: PLC0415

    return ReasonCode(PacketTypes.DISCONNECT, "Packet too large")


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
        raise ConfigError(
            f"TLS to {settings.address}: the certificates cannot be used: {error};"
            " expected PEM files that belong together, and a key without a passphrase"
        ) from error
    return context


def greet(settings: MqttSettings, timeout_s: float = 5.0) -> None:
    """Connect, say something and leave again, by another name than the bin's, which may be connected at the same time.

    Raises:
        UnavailableError: the broker cannot be reached, does not let the bin in, or takes no message of it.
        MissingLibraryError, MissingInputError, ConfigError: as for `MqttPublisher`.
    """
    client = make_client(replace(settings, device_id=f"{settings.device_id}-doctor"))
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    is_in = threading.Event()

    def on_connect(client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
        if reason.is_failure:
            answers.put(not_let_in(reason))
        else:
            is_in.set()
            client.publish(f"{settings.prefix}/doctor", b"", QOS)

    def on_publish(_client: Client, _data: object, _message_id: int, reason: ReasonCode, _more: object) -> None:
        answers.put(refused(reason, settings) if reason.is_failure else None)

    def on_disconnect(_client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _: object) -> None:
        answers.put(thrown_out(reason, settings) if is_in.is_set() else not_begun(reason))

    # Retained and with QoS 1 as the bin's own, which a broker may refuse.
    client.will_set(f"{settings.prefix}/doctor", b"", QOS, retain=True)
    client.on_connect = on_connect
    client.on_publish = on_publish
    client.on_disconnect = on_disconnect
    try:
        client.connect(settings.host, settings.port, keepalive=settings.keepalive_s)
        client.loop_start()
        why = answers.get(timeout=timeout_s)
    except queue.Empty:
        why = NO_ANSWER
    except OSError as error:
        why = why_unreachable(error)
    finally:
        client.disconnect()
        client.loop_stop()
    if why is not None:
        raise UnavailableError(f"broker {settings.address}: {why}")
