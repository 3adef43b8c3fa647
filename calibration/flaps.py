"""The actuator step: each flap's angles and times, found by moving it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from calibration.talk import Desk
from edge.actuators.servo import ServoFlap, ServoSettings
from edge.assembly.actuators import as_calibrated, open_lines
from edge.config.actuators import ServoActuatorSection
from edge.config.sections import Config
from edge.errors import ConfigError, UsageError
from edge.site import FlapStep, SiteDescription

if TYPE_CHECKING:
    from gpiozero import Factory

# What a person types to move the flap, in degrees.
_STEPS = {"+": 2.0, "++": 10.0, "-": -2.0, "--": -10.0}


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says already, and need not be found."""

    rest_angle: float | None = None
    open_angle: float | None = None
    open_s: float | None = None
    travel_s: float | None = None


def calibrate_flaps(desk: Desk, bin_name: str | None, given: Given) -> None:
    """Find how each servo of the configuration swings, or only that of `bin_name`, and offer it.

    Raises:
        UsageError: there is no such bin, or no flap.
        ConfigError: an angle is outside of the servo's range, or open is where shut is.
        UnavailableError: the lines cannot be had; stop the service first.
    """
    flaps = dict(_flaps(desk, bin_name))
    found: dict[str, FlapStep] = {}
    with closing(open_lines(desk.config.gpio)) as factory:
        for name, settings in flaps.items():
            desk.talk.say(f"\nBin {name}, servo on pin {settings.pin}. Keep fingers away from the flap.")
            start = replace(settings, **{key: value for key, value in asdict(given).items() if value is not None})
            found[name] = _step(desk, start if desk.talk.is_sure else _find(desk, start, given, factory))
            _check(found[name], settings)

    def edit(old: SiteDescription) -> SiteDescription:
        return old.model_copy(update={"actuators": {**old.actuators, **found}})

    figures: dict[str, JsonValue] = {
        name: {"rest": flap.rest_angle, "open": flap.open_angle, "open_s": flap.open_s, "travel_s": flap.travel_s}
        for name, flap in found.items()
    }
    for sentence in _overruled(desk, found):
        desk.talk.say(sentence)
    desk.propose("actuators", edit, figures={"flaps": figures})


def has_flaps(config: Config) -> bool:
    """Whether any bin has a flap on a servo."""
    return any(isinstance(section.actuator, ServoActuatorSection) for section in config.bins.values())


def _step_angle(desk: Desk, what: str, start: float, move: Callable[[float], float]) -> float:
    """The angle at which a person is content; `move` swings there after each step, and says how far it came."""
    angle = start
    desk.talk.say(f"{what}: + and - move by 2 degrees, ++ and -- by 10, a number goes there, Enter keeps it.")
    while True:
        angle = move(angle)
        answer = desk.talk.read(f"  {angle:g} degrees", default="keep")
        if answer == "keep":
            return angle
        if answer in _STEPS:
            angle += _STEPS[answer]
        elif (number := _number(answer)) is not None:
            angle = number
        else:
            desk.talk.say("  expected +, ++, -, -- or a number")


def _flaps(desk: Desk, bin_name: str | None) -> Iterator[tuple[str, ServoSettings]]:
    config, calibrated = desk.config, desk.folder.read().actuators
    if bin_name is not None and bin_name not in config.bins:
        raise UsageError(f"no bin {bin_name} in the configuration: expected one of {', '.join(config.bins) or 'none'}")
    servos = {
        name: section.actuator
        for name, section in (
            (name, as_calibrated(section, calibrated.get(name))) for name, section in config.bins.items()
        )
        if isinstance(section.actuator, ServoActuatorSection) and bin_name in (None, name)
    }
    if not servos:
        raise UsageError(
            'there is no flap to be found: expected a bin with actuator = { kind = "servo", pin = … };'
            " relays and lamps have only their pulse_s, in the configuration"
        )
    for name, servo in servos.items():
        yield name, ServoSettings(**servo.model_dump(exclude={"kind"}))


def _overruled(desk: Desk, found: Mapping[str, FlapStep]) -> Iterator[str]:
    """The configuration has the last word: what it names itself, calibration cannot change."""
    for name, flap in found.items():
        for key, value in desk.config.bins[name].actuator.model_dump(exclude_unset=True).items():
            if getattr(flap, key, value) != value:
                yield f"The configuration sets {key} = {value} for bin {name}: take it out there, or it stays so."


def _find(desk: Desk, start: ServoSettings, given: Given, factory: Factory) -> ServoSettings:
    """The settings with which a person is content, trying each out; the flap ends at rest."""
    with closing(ServoFlap(start, factory)) as flap:

        def move(angle: float) -> float:
            held = max(start.min_angle, min(angle, start.max_angle))
            flap.hold(held)
            return held

        rest = start.rest_angle if given.rest_angle is not None else _step_angle(desk, "Shut", start.rest_angle, move)
        opened = start.open_angle if given.open_angle is not None else _step_angle(desk, "Open", start.open_angle, move)
    settings = replace(start, rest_angle=rest, open_angle=opened)
    while True:
        with closing(ServoFlap(settings, factory)) as flap:
            flap.actuate()
        if desk.talk.ask("That was the whole movement. Was it right?"):
            return settings
        travel_s = desk.talk.read("  seconds for one swing", default=f"{settings.travel_s:g}")
        open_s = desk.talk.read("  seconds to stay open", default=f"{settings.open_s:g}")
        settings = replace(
            settings,
            travel_s=_seconds(travel_s, settings.travel_s),
            open_s=_seconds(open_s, settings.open_s),
        )


def _step(desk: Desk, settings: ServoSettings) -> FlapStep:
    return FlapStep(
        made_at=desk.now(),
        rest_angle=settings.rest_angle,
        open_angle=settings.open_angle,
        open_s=settings.open_s,
        travel_s=settings.travel_s,
    )


def _check(flap: FlapStep, servo: ServoSettings) -> None:
    for angle in (flap.rest_angle, flap.open_angle):
        if not servo.min_angle <= angle <= servo.max_angle:
            raise ConfigError(
                f"servo on pin {servo.pin}: expected an angle from {servo.min_angle:g} to {servo.max_angle:g},"
                f" found {angle:g}: widen min_angle and max_angle in the configuration if it can go there"
            )
    if flap.rest_angle == flap.open_angle:
        raise ConfigError(
            f"servo on pin {servo.pin}: expected another angle when open than when shut, found {flap.open_angle:g} for"
            " both: such a flap never opens"
        )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds(text: str, before: float) -> float:
    number = _number(text)
    return number if number is not None and 0 < number <= 60 else before
