"""The actuators of all bins, from their sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, assert_never

from edge.actuators.base import Actuator
from edge.actuators.carousel import Carousel, CarouselSettings, CarouselStop
from edge.actuators.confirmed import ConfirmedActuator, SensorSettings
from edge.actuators.gpio import PulseActuator, PulseSettings, open_pin_factory
from edge.actuators.log import LogActuator
from edge.actuators.look import LookedAtActuator, LookSettings, SceneWatch
from edge.actuators.servo import ServoFlap, ServoSettings
from edge.actuators.worker import WorkerSettings
from edge.config.actuators import (
    CarouselActuatorSection,
    GpioActuatorSection,
    GpioSection,
    LogActuatorSection,
    LookConfirmSection,
    PwmActuatorSection,
    SensorConfirmSection,
    ServoActuatorSection,
)
from edge.config.sections import BinSection, Config
from edge.site import SITE, FlapStep, parse_site, read_site

if TYPE_CHECKING:
    from gpiozero import Factory

_NO_SECTION = BinSection()


def open_actuators(
    stack: ExitStack, config: Config, bins: Sequence[str], flaps: Mapping[str, FlapStep], scene: SceneWatch | None
) -> dict[str, Actuator]:
    """An actuator for each bin, off or unmoved; bins without a section, and those that say so, only log.

    `flaps` is how calibration found the servos to swing; `scene` is what a second look sees, None where
    nobody looks. `stack` makes them safe and frees the lines.

    Raises:
        MissingLibraryError, UnavailableError, AccessDeniedError: the lines cannot be had.
        ConfigError: the board has no such pin.
    """
    sections = {name: as_calibrated(config.bins.get(name, _NO_SECTION), flaps.get(name)) for name in bins}
    if all(isinstance(section.actuator, LogActuatorSection) for section in sections.values()):
        return {name: LogActuator(name) for name in sections}
    factory = _wired_lines(config, sections) if config.gpio.simulated else open_lines(config.gpio)
    stack.callback(factory.close)
    stops = _carousel_stops(config, sections, factory)
    opened: dict[str, Actuator] = {}
    for name, section in sections.items():
        actuator = stops[name] if name in stops else _actuator(name, section, factory)
        # At once: where a later bin fails, the earlier ones must not be left as they are.
        stack.callback(actuator.close)
        opened[name] = _confirmed(actuator, section, factory, scene)
    return opened


def worker_settings(config: Config) -> WorkerSettings:
    """How movements follow each other."""
    return WorkerSettings(**config.movements.model_dump())


def calibrated_flaps(config: Config) -> Mapping[str, FlapStep]:
    """How calibration found the servos to swing, whatever the model is.

    Raises:
        SorterError: the site file cannot be read.
    """
    return {} if config.site is None else parse_site(read_site(config.site), config.site / SITE).actuators


def as_calibrated(section: BinSection, flap: FlapStep | None) -> BinSection:
    """The bin with its servo as calibration found it; what the configuration says itself holds."""
    actuator = section.actuator
    if flap is None or not isinstance(actuator, ServoActuatorSection):
        return section
    found = {key: value for key, value in flap.model_dump().items() if key in ServoActuatorSection.model_fields}
    said = actuator.model_dump(exclude_unset=True)
    return section.model_copy(update={"actuator": ServoActuatorSection.model_validate({**found, **said})})


def open_lines(section: GpioSection) -> Factory:
    """The lines that the pins are numbers of; close it after its actuators.

    Raises:
        MissingLibraryError, UnavailableError, AccessDeniedError: they cannot be had.
    """
    if section.simulated:
        from edge.actuators.simulated import SimulatedLines  # noqa: PLC0415 - gpiozero only where lines are wanted

        return SimulatedLines()
    return open_pin_factory(section.chip)


def _wired_lines(config: Config, sections: Mapping[str, BinSection]) -> Factory:
    from edge.assembly.simulated import wired_lines  # noqa: PLC0415 - gpiozero only where lines are wanted

    return wired_lines(config.carousel, sections)


def _actuator(name: str, section: BinSection, factory: Factory) -> Actuator:
    match section.actuator:
        case LogActuatorSection() | CarouselActuatorSection():
            return LogActuator(name)
        case GpioActuatorSection() as pulse:
            return PulseActuator(PulseSettings(pulse.pin, pulse.pulse_s, pulse.active_high), factory)
        case PwmActuatorSection() as pulse:
            return PulseActuator(PulseSettings(pulse.pin, pulse.pulse_s, pulse.active_high, pulse.power), factory)
        case ServoActuatorSection() as servo:
            return ServoFlap(ServoSettings(**servo.model_dump(exclude={"kind"})), factory)
        case _:
            assert_never(section.actuator)


def _carousel_stops(config: Config, sections: Mapping[str, BinSection], factory: Factory) -> Mapping[str, CarouselStop]:
    positions = {
        name: section.actuator.position
        for name, section in sections.items()
        if isinstance(section.actuator, CarouselActuatorSection)
    }
    if not positions or config.carousel is None:
        return {}
    return Carousel(CarouselSettings(positions=positions, **config.carousel.model_dump()), factory).stops()


def _confirmed(actuator: Actuator, section: BinSection, factory: Factory, scene: SceneWatch | None) -> Actuator:
    match section.confirm:
        case None:
            return actuator
        case SensorConfirmSection() as sensor:
            return ConfirmedActuator(actuator, SensorSettings(**sensor.model_dump(exclude={"by"})), factory)
        case LookConfirmSection() as look:
            if scene is None:
                return actuator
            return LookedAtActuator(actuator, LookSettings(**look.model_dump(exclude={"by"})), scene)
        case _:
            assert_never(section.confirm)
