"""What may be asked of a bin over MQTT: a closed list, each value checked, and never more than a few at once."""

from __future__ import annotations

import logging
import math
import queue
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from edge.errors import InvalidDataError, first_problem

_log = logging.getLogger(__name__)

_MAX_PAYLOAD_BYTES = 256
# An address alone may be long.
_MAX_INSTALL_BYTES = 2048
_MAX_WAITING = 16

# What Home Assistant's button sends; an empty payload does as well.
PRESS = "PRESS"
_SWITCH = {"ON": True, "OFF": False}


@dataclass(frozen=True, slots=True)
class SetEnabled:
    """Sort (True) or only watch (False)."""

    is_enabled: bool


@dataclass(frozen=True, slots=True)
class SetUnknownThreshold:
    """The confidence, 0..1, below which an item is unknown."""

    threshold: float


@dataclass(frozen=True, slots=True)
class MarkWrong:
    """The last decision was wrong; `label` is the right one, None when the sender did not say."""

    label: str | None


class Verb(StrEnum):
    """Commands without a value; each is the last part of its topic."""

    RESTART = "restart"
    RESET_COUNTS = "reset_counts"
    INSTALL = "install"  # the model that runs in the shadow


def _address(url: str) -> str:
    parts = urlsplit(url)  # raises ValueError where brackets or the port are wrong
    if not parts.hostname or parts.port == 0:
        raise ValueError("expected a host")
    return url


class InstallFrom(BaseModel):
    """A model to fetch from `url`, a .zip with this digest.

    It is on trial for `trial` items, or first runs beside the active one for `shadow` items. Nobody stands by, so that
    none is trusted without a trial.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$"), AfterValidator(_address)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    shadow: int | None = Field(default=None, ge=1, le=100_000)
    trial: int = Field(default=100, ge=1, le=100_000)


RemoteCommand = SetEnabled | SetUnknownThreshold | MarkWrong | InstallFrom | Verb

ENABLED_TOPIC = "enabled/set"
THRESHOLD_TOPIC = "unknown_threshold/set"
MARK_WRONG_TOPIC = "cmd/mark_wrong"
INSTALL_TOPIC = f"cmd/{Verb.INSTALL}"
VERB_TOPICS: Mapping[str, Verb] = {f"cmd/{verb}": verb for verb in Verb}
COMMAND_TOPICS = (ENABLED_TOPIC, THRESHOLD_TOPIC, MARK_WRONG_TOPIC, *VERB_TOPICS)


def parse_command(topic: str, payload: bytes, labels: Collection[str]) -> RemoteCommand:
    """The command that `payload` on `<prefix>/<topic>` means; `labels` are those that may be named.

    Raises:
        InvalidDataError: the topic is unknown or the payload is not one of its values.
    """
    text = _text(topic, payload)
    if topic == ENABLED_TOPIC:
        if text not in _SWITCH:
            raise InvalidDataError(f"{topic}: expected ON or OFF, found {text[:32]!r}")
        return SetEnabled(_SWITCH[text])
    if topic == THRESHOLD_TOPIC:
        return SetUnknownThreshold(_share(topic, text))
    if topic == MARK_WRONG_TOPIC:
        if text in ("", PRESS):
            return MarkWrong(None)
        if text not in labels:
            raise InvalidDataError(f"{topic}: expected one of {', '.join(sorted(labels))}, found {text[:32]!r}")
        return MarkWrong(text)
    if topic not in VERB_TOPICS:
        raise InvalidDataError(f"{topic[:64]}: expected one of {', '.join(COMMAND_TOPICS)}")
    if topic == INSTALL_TOPIC and text not in ("", PRESS):
        return _install(topic, text)
    return VERB_TOPICS[topic]


def _install(topic: str, text: str) -> InstallFrom:
    try:
        return InstallFrom.model_validate_json(text) if text.startswith("{") else InstallFrom(url=text)
    except ValidationError as error:
        raise InvalidDataError(
            f'{topic}: expected {PRESS}, an http(s) address, or {{"url": …, "sha256": …}}: '
            f"{first_problem(error, 'value')}"
        ) from error


def _text(topic: str, payload: bytes) -> str:
    max_bytes = _MAX_INSTALL_BYTES if topic == INSTALL_TOPIC else _MAX_PAYLOAD_BYTES
    if len(payload) > max_bytes:
        raise InvalidDataError(f"{topic}: expected at most {max_bytes} bytes, found {len(payload)}")
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"{topic}: expected text in UTF-8, found other bytes") from error


def _share(topic: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise InvalidDataError(f"{topic}: expected a number from 0 to 1, found {text[:32]!r}")
    return number


class Inbox:
    """Commands on their way from a publisher's thread to the loop; at most a few wait, further ones are refused."""

    def __init__(self, labels: Collection[str]) -> None:
        self._labels = frozenset(labels)
        self._waiting: queue.Queue[RemoteCommand] = queue.Queue(_MAX_WAITING)
        self._has_refused = False

    def receive(self, topic: str, payload: bytes) -> None:
        """Check a message and keep it for the loop; what is refused is logged. Any thread; never blocks."""
        try:
            command = parse_command(topic, payload, self._labels)
        except InvalidDataError as error:
            self._refuse(str(error))
        else:
            self.put(command)

    def put(self, command: RemoteCommand) -> bool:
        """Keep a command that is checked already; whether there was room for it. Any thread; never blocks."""
        try:
            self._waiting.put_nowait(command)
        except queue.Full:
            self._refuse(f"{_MAX_WAITING} commands wait already")
            return False
        self._has_refused = False
        return True

    def take(self) -> RemoteCommand | None:
        """The oldest waiting command; None when there is none. Never blocks."""
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _refuse(self, why: str) -> None:
        # Whoever sends rubbish in a loop must not fill the log.
        _log.log(logging.DEBUG if self._has_refused else logging.WARNING, "command refused: %s", why)
        self._has_refused = True
