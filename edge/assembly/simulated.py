"""A simulated world around simulated lines: its motor turns, and its sensors see that all goes well.

Imports gpiozero when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.actuators.simulated import SimulatedLines, SimulatedMotor, SimulatedSensor
from edge.config.actuators import (
    CarouselActuatorSection,
    CarouselSection,
    GpioActuatorSection,
    PwmActuatorSection,
    SensorConfirmSection,
    ServoActuatorSection,
)
from edge.config.sections import BinSection


def wired_lines(carousel: CarouselSection | None, sections: Mapping[str, BinSection]) -> SimulatedLines:
    """Lines on which every sensor and home switch of these bins answers."""
    lines = SimulatedLines()
    stops: list[tuple[int, SimulatedSensor]] = []
    for section in sections.values():
        if not isinstance(section.confirm, SensorConfirmSection):
            continue
        sensor = SimulatedSensor(lines, section.confirm.pin, section.confirm.active_low)
        match section.actuator:
            case (
                GpioActuatorSection(pin=pin, active_high=active_high)
                | PwmActuatorSection(pin=pin, active_high=active_high)
            ):
                sensor.watch(pin, resting=0.0 if active_high else 1.0)
            case ServoActuatorSection(pin=pin):
                sensor.watch(pin, resting=0.0)  # where no pulses are sent
            case CarouselActuatorSection(position=position):
                stops.append((position, sensor))
            case _:
                pass
    if carousel is not None:
        _hang_motor(lines, carousel, stops)
    return lines


def _hang_motor(lines: SimulatedLines, carousel: CarouselSection, stops: Sequence[tuple[int, SimulatedSensor]]) -> None:
    def see(place: int) -> None:
        for position, sensor in stops:
            sensor.see(is_moved=place == position)

    wiring = carousel.model_dump(include={"step_pin", "direction_pin", "home_pin", "enable_pin", "steps_per_turn"})
    SimulatedMotor(lines, on_place=see, **wiring)
