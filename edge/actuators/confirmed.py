"""An actuator with a witness: a switch on the flap or a light barrier below it says that it happened."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.actuators.base import Actuator
from edge.actuators.gpio import import_gpiozero, line_errors

if TYPE_CHECKING:
    from gpiozero import Factory


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """A switch to ground, or a light barrier whose output is low while something is in it.

    `active_low=False` turns it round. The sensor has until `timeout_s` after the movement to answer;
    then the movement is done again, at most `num_retries` times.
    """

    pin: int | str
    active_low: bool = True
    timeout_s: float = 0.5
    num_retries: int = 1


class ConfirmedActuator:
    """Does what `actuator` does, and answers whether the sensor went active while it did.

    Only a change counts: a light barrier that is blocked all the time confirms nothing.
    """

    def __init__(self, actuator: Actuator, settings: SensorSettings, factory: Factory) -> None:
        self._actuator = actuator
        self._settings = settings
        self._halted = threading.Event()
        # By the sensor, or by `make_safe`: nothing more is to be waited for.
        self._is_answered = threading.Event()
        self._is_seen = False
        with line_errors(settings.pin):
            self._sensor = import_gpiozero().DigitalInputDevice(
                settings.pin, pull_up=settings.active_low, pin_factory=factory
            )
        self._sensor.when_activated = self._see

    def actuate(self) -> bool | None:
        self._halted.clear()
        for _ in range(1 + self._settings.num_retries):
            self._is_seen = False
            self._is_answered.clear()
            self._actuator.actuate()
            self._is_answered.wait(0 if self._halted.is_set() else self._settings.timeout_s)
            if self._is_seen:
                return True
            if self._halted.is_set():
                return None
        return False

    def make_safe(self) -> None:
        self._halted.set()
        self._is_answered.set()
        self._actuator.make_safe()

    def close(self) -> None:
        self._actuator.close()
        self._sensor.close()

    def _see(self) -> None:
        self._is_seen = True
        self._is_answered.set()
