"""Settings that are each allowed but do not go together; pure, and read from the configuration alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge.config.actuators import (
    CarouselActuatorSection,
    GpioActuatorSection,
    LogActuatorSection,
    PwmActuatorSection,
    SensorConfirmSection,
    ServoActuatorSection,
)
from edge.config.complaints import Complaint
from edge.config.lines import Place
from edge.config.sections import BinSection, Config

# Of the Broadcom chip; 28 and above are wired to other things on every Raspberry Pi with 40 pins.
_LAST_PI_PIN = 27


def contradictions(config: Config) -> Iterator[Complaint]:
    """Every contradiction in `config`."""
    yield from _about_unknown(config)
    yield from _about_pins(config)
    for name, section in config.bins.items():
        yield from about_actuator(config, name, section)
    yield from _about_time(config)
    yield from _about_outlets(config)


def pins_of(config: Config) -> Iterator[tuple[str, int]]:
    """Every pin that is used, with the section that uses it."""
    return ((".".join(place[:2]), pin) for place, pin in _pins(config))


def _about_time(config: Config) -> Iterator[Complaint]:
    """Whether an item can have its frames before the deadline, and its deadline before it counts as empty scene."""
    decision, presence, rate_hz = config.decision, config.presence, getattr(config.camera, "rate_hz", math.inf)
    num_frames = max(decision.min_frames, decision.hold_frames + 1)
    # It is looked at since it lies still, and counts since it has done so for settle_s.
    if (num_frames - 1) / rate_hz > presence.settle_s + decision.deadline_s:
        yield Complaint(
            ("decision", "deadline_s"),
            f" = {decision.deadline_s:g}: too short for {num_frames} frames at {rate_hz:g} a second",
        )
    if decision.deadline_s >= presence.absorb_s:
        yield Complaint(
            ("decision", "deadline_s"),
            f" = {decision.deadline_s:g}: expected less than presence.absorb_s, {presence.absorb_s:g}:"
            " an item would be part of the empty scene before it is decided",
        )


def _about_outlets(config: Config) -> Iterator[Complaint]:
    for name, section in (("mqtt", config.mqtt), ("webhook", config.webhook)):
        if section is not None and section.retry_max_s < section.retry_min_s:
            yield Complaint((name, "retry_max_s"), f" = {section.retry_max_s:g} is less than retry_min_s")
    if config.mqtt is not None:
        if (config.mqtt.certificate_file is None) != (config.mqtt.key_file is None):
            yield Complaint(("mqtt",), ": certificate_file and key_file belong together, only one is set")
        if config.mqtt.password is not None and config.mqtt.username is None:
            yield Complaint(("mqtt", "password"), ": it belongs to a username, and none is set")


def _about_unknown(config: Config) -> Iterator[Complaint]:
    takers = [name for name, section in config.bins.items() if section.takes_unknown]
    for name in takers[1:]:
        yield Complaint(
            ("bins", name, "takes_unknown"), f": bins.{takers[0]} takes the unknown already; at most one can take them"
        )


def _about_pins(config: Config) -> Iterator[Complaint]:
    owner: dict[int, str] = {}
    for place, pin in _pins(config):
        name = ".".join(place[:2])
        if pin in owner:
            yield Complaint(place, f": pin {pin} serves {owner[pin]} and {name}")
        owner.setdefault(pin, name)
        if config.gpio.chip is None and pin > _LAST_PI_PIN:
            yield Complaint(
                place, f" = {pin}: a Raspberry Pi has 0 to {_LAST_PI_PIN}; on another board set gpio.chip as well"
            )


def _pins(config: Config) -> Iterator[tuple[Place, int]]:
    for name, section in config.bins.items():
        if isinstance(section.actuator, GpioActuatorSection | PwmActuatorSection | ServoActuatorSection):
            yield ("bins", name, "actuator", "pin"), section.actuator.pin
        if isinstance(section.confirm, SensorConfirmSection):
            yield ("bins", name, "confirm", "pin"), section.confirm.pin
    if config.carousel is not None:
        for key in ("step_pin", "direction_pin", "home_pin", "enable_pin"):
            pin = getattr(config.carousel, key)
            if pin is not None:
                yield ("carousel", key), pin


def about_actuator(config: Config, name: str, section: BinSection) -> Iterator[Complaint]:
    """What contradicts itself in how the bin called `name` is moved."""
    place, actuator = ("bins", name, "actuator"), section.actuator
    if isinstance(actuator, LogActuatorSection) and section.confirm is not None:
        yield Complaint(place, ": confirm is set, but an actuator of kind log moves nothing")
    if isinstance(actuator, ServoActuatorSection):
        for key in ("rest_angle", "open_angle"):
            angle = getattr(actuator, key)
            if not actuator.min_angle <= angle <= actuator.max_angle:
                yield Complaint(
                    (*place, key), f" = {angle:g}: expected {actuator.min_angle:g} to {actuator.max_angle:g}"
                )
        if actuator.rest_angle == actuator.open_angle:
            yield Complaint((*place, "open_angle"), f" = {actuator.open_angle:g}: expected another one than rest_angle")
        if actuator.min_pulse_s >= actuator.max_pulse_s:
            yield Complaint((*place, "min_pulse_s"), f" = {actuator.min_pulse_s:g} must be less than max_pulse_s")
    if isinstance(actuator, CarouselActuatorSection):
        if config.carousel is None:
            yield Complaint(("carousel",), f": bins.{name} is on a carousel, but there is no section [carousel]")
        elif actuator.position >= config.carousel.steps_per_turn:
            yield Complaint(
                (*place, "position"),
                f" = {actuator.position}: expected less than carousel.steps_per_turn, {config.carousel.steps_per_turn}",
            )
