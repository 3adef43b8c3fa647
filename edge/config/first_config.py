"""A bin's first configuration: a few answers become a commented file that an owner can go on with."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count

from edge.files.toml_text import to_toml_value

# BCM numbers that are free on a bare Raspberry Pi: no I2C, SPI, UART or PWM of the sound.
FREE_PINS = (17, 27, 22, 23, 24, 25, 5, 6, 16, 26)
# A bin's name may have 63 letters, a number among them.
_MAX_NAME = 55


class Drive(StrEnum):
    """What opens the bins."""

    NONE = "none"
    RELAY = "relay"
    SERVO = "servo"


@dataclass(frozen=True, slots=True)
class CameraAnswer:
    """Which camera: `backend` as in the configuration, and for usb its `device`, for stream its `url`."""

    backend: str = "simulated"
    device: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked.

    `bins` maps each bin to its labels; `unknown_bin` takes what is unknown, None leaves it; `bundle` is the
    model's folder, None the shipped one; `pins` are given to the bins in their order.
    """

    device_id: str
    camera: CameraAnswer
    bins: Mapping[str, Sequence[str]]
    unknown_bin: str | None = None
    drive: Drive = Drive.NONE
    broker: str | None = None
    has_home_assistant: bool = False
    has_page: bool = False
    bundle: str | None = None
    pins: Sequence[int] = FREE_PINS


def write_config(answers: Answers) -> str:
    """The text of the file, which `load_config` takes."""
    return "\n".join(_lines(answers)) + "\n"


def one_bin_each(labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """A bin for every label, named after it; where names are the same, they are numbered.

    >>> one_bin_each(["Restmüll", "PET 1", "PET-1"])
    {'restmull': ('Restmüll',), 'pet-1': ('PET 1',), 'pet-1-2': ('PET-1',)}
    """
    bins: dict[str, tuple[str, ...]] = {}
    for label in labels:
        name = _name(label)
        numbered = (f"{name}-{number}" for number in count(2))
        bins[next(free for free in chain([name], numbered) if free not in bins)] = (label,)
    return bins


def recycling_and_rest(labels: Sequence[str], rest: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Two bins: what is worth something, and the labels of `rest`."""
    return {
        "recycling": tuple(label for label in labels if label not in rest),
        "rest": tuple(label for label in labels if label in rest),
    }


def _lines(answers: Answers) -> Iterator[str]:
    yield "# A bin that sorts by camera. `sorter config validate` checks it, `sorter config schema` tells all settings."
    yield "schema = 1"
    yield ""
    yield "[device]"
    yield f"id = {to_toml_value(answers.device_id)}  # its name in MQTT topics: sorter/{answers.device_id}/…"
    yield from _camera(answers.camera)
    if answers.bundle is not None:
        yield ""
        yield "[model]"
        yield f"bundle = {to_toml_value(answers.bundle)}"
    yield ""
    yield "# When an item is sure enough to be sorted. `sorter calibrate thresholds` finds better values than these."
    yield "# [decision]"
    yield "# min_confidence = 0.55"
    pins = iter(answers.pins)
    for name, labels in answers.bins.items():
        yield from _bin(name, labels, answers, pins)
    yield from _outlets(answers)


def _camera(camera: CameraAnswer) -> Iterator[str]:
    yield ""
    yield "[camera]"
    match camera.backend:
        case "usb":
            yield 'backend = "usb"'
            yield f"device = {to_toml_value(camera.device or '/dev/video0')}"
            yield "width_px = 1280"
            yield "height_px = 720"
            yield "rate_hz = 30.0"
        case "csi":
            yield 'backend = "csi"'
            yield "index = 0  # as `rpicam-hello --list-cameras` counts"
        case "stream":
            yield 'backend = "stream"'
            yield f"url = {to_toml_value(camera.url or '')}"
        case _:
            yield 'backend = "simulated"  # rendered items, until there is a camera: "usb", "csi" or "stream"'
            yield "num_items = 100000"


def _bin(name: str, labels: Sequence[str], answers: Answers, pins: Iterator[int]) -> Iterator[str]:
    yield ""
    yield f"[bins.{name}]"
    yield f"labels = {to_toml_value(labels)}"
    if name == answers.unknown_bin:
        yield "takes_unknown = true  # whatever the bin is not sure of goes here too"
    if answers.drive is Drive.NONE:
        return
    pin = next(pins, None)
    if pin is None:
        yield "# No free pin is left for this bin: see the wiring in the README, and give it one."
    elif answers.drive is Drive.RELAY:
        yield f'actuator = {{ kind = "gpio", pin = {pin}, pulse_s = 1.0 }}  # BCM number; a relay, solenoid or lamp'
    else:
        yield f'actuator = {{ kind = "servo", pin = {pin}, rest_angle = 0.0, open_angle = 90.0 }}  # BCM number'


def _outlets(answers: Answers) -> Iterator[str]:
    if answers.broker is not None:
        host, _, port = answers.broker.partition(":")
        yield ""
        yield "[mqtt]"
        yield f"host = {to_toml_value(host)}"
        yield f"port = {int(port or 1883)}"
        yield f"home_assistant = {'true' if answers.has_home_assistant else 'false'}"
        yield '# username = "bin"'
        yield "# password: best by the environment, SORTER__MQTT__PASSWORD"
    if answers.has_page:
        yield ""
        yield "[web]"
        yield 'host = "127.0.0.1"  # this device only; "0.0.0.0" lets others in, with a token'


def _name(label: str) -> str:
    """A label as the name of a bin, which topics carry: lower case letters without accents, digits and -."""
    letters = [letter for letter in unicodedata.normalize("NFKD", label.lower()) if not unicodedata.combining(letter)]
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in letters)
    return plain.strip("-")[:_MAX_NAME] or "bin"
