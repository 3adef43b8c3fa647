"""A carousel on a stepper motor: turns a bin under the chute, then home again, where a switch knows it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.actuators.gpio import import_gpiozero, line_errors
from edge.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    from gpiozero import Factory

# Homing looks for the switch over a whole turn and a little more, since it may stand just behind it.
_HOMING_TURNS = 1.1
# Of a turn, to both sides of home: what closes the switch is narrower than a bin.
_CLOSED_SHARE = 1 / 16


@dataclass(frozen=True, slots=True)
class CarouselSettings:
    """A stepper driver with step and direction inputs (A4988, TMC2209), and a switch at home.

    `positions` are the bins' places in steps from home. The switch closes to ground (`home_pin` is
    pulled up). `enable_pin` is low while the motor holds, as these drivers want it; without one it
    holds always. `step_s` is the time of one step: too short, and the motor loses steps.
    """

    step_pin: int | str
    direction_pin: int | str
    home_pin: int | str
    positions: Mapping[str, int]
    steps_per_turn: int = 3200
    step_s: float = 0.001
    drop_s: float = 1.0
    enable_pin: int | str | None = None


class Carousel:
    """The motor, shared by the bins on it; moved by one thread, halted by any.

    Raises:
        UnavailableError, ConfigError: as PulseActuator; also a position beyond a turn.
    """

    def __init__(self, settings: CarouselSettings, factory: Factory) -> None:
        for bin_name, position in settings.positions.items():
            if not 0 <= position < settings.steps_per_turn:
                raise ConfigError(
                    f"carousel position of {bin_name}: expected 0 to {settings.steps_per_turn - 1} steps,"
                    f" found {position}"
                )
        gpiozero = import_gpiozero()
        self._settings = settings
        self._halted = threading.Event()
        self._moving = threading.Lock()
        # Steps from home; None when nobody knows, as at the start or after it was stopped on its way.
        self._position: int | None = None
        with line_errors(settings.step_pin):
            self._step = gpiozero.OutputDevice(settings.step_pin, pin_factory=factory)
        with line_errors(settings.direction_pin):
            self._direction = gpiozero.OutputDevice(settings.direction_pin, pin_factory=factory)
        with line_errors(settings.home_pin):
            self._home = gpiozero.DigitalInputDevice(settings.home_pin, pull_up=True, pin_factory=factory)
        self._enable = None
        if settings.enable_pin is not None:
            with line_errors(settings.enable_pin):
                self._enable = gpiozero.OutputDevice(settings.enable_pin, active_high=False, pin_factory=factory)

    def stops(self) -> dict[str, CarouselStop]:
        """An actuator for each bin."""
        return {bin_name: CarouselStop(self, position) for bin_name, position in self._settings.positions.items()}

    def serve(self, position: int) -> bool | None:
        """Turn to `position`, wait for the item to drop, turn home; whether the home switch agrees.

        None when it was halted on the way. Finds home first when it does not stand there.

        Raises:
            UnavailableError: a whole turn did not find the home switch, or it is closed away from home, too.
        """
        with self._moving:
            self._halted.clear()
            if self._enable is not None:
                self._enable.on()
            try:
                if self._position is None or not self._home.is_active:
                    self._find_home()
                self._turn_to(position)
                has_left = not (self._is_far(position) and self._home.is_active)
                self._halted.wait(self._settings.drop_s)
                self._turn_to(0)
                if self._halted.is_set():
                    return None
                if not has_left:
                    raise UnavailableError(
                        f"carousel: expected the home switch on pin {self._settings.home_pin} to be open at step"
                        f" {position}, found it closed; look for a motor that does not turn, or a switch that sticks"
                    )
                return bool(self._home.is_active)
            finally:
                self._let_go()

    def halt(self) -> None:
        """Stop where it stands and let the motor go."""
        self._halted.set()
        with self._moving:
            if not self._step.closed:
                self._let_go()

    def close(self) -> None:
        """Halt and free the lines; harmless to call again."""
        self.halt()
        for line in (self._step, self._direction, self._home, self._enable):
            if line is not None:
                line.close()

    def _find_home(self) -> None:
        self._direction.off()
        for _ in range(int(_HOMING_TURNS * self._settings.steps_per_turn)):
            if self._halted.is_set():
                return
            if self._home.is_active:
                self._position = 0
                return
            self._one_step()
        raise UnavailableError(
            f"carousel: expected the home switch on pin {self._settings.home_pin} within a turn, found none;"
            " look for a jam, a loose switch or a motor that does not turn"
        )

    def _is_far(self, position: int) -> bool:
        """Whether the home switch must be open there."""
        steps = self._settings.steps_per_turn
        return min(position, steps - position) >= _CLOSED_SHARE * steps

    def _turn_to(self, position: int) -> None:
        if self._position is None:
            return
        is_forward = position > self._position
        self._direction.value = is_forward
        while self._position != position and not self._halted.is_set():
            self._one_step()
            self._position += 1 if is_forward else -1

    def _one_step(self) -> None:
        self._step.on()
        self._halted.wait(self._settings.step_s / 2)
        self._step.off()
        self._halted.wait(self._settings.step_s / 2)

    def _let_go(self) -> None:
        if self._enable is not None:
            self._enable.off()
        if self._position != 0:
            self._position = None


class CarouselStop:
    """One bin of a carousel; an Actuator."""

    def __init__(self, carousel: Carousel, position: int) -> None:
        self._carousel = carousel
        self._position = position

    def actuate(self) -> bool | None:
        return self._carousel.serve(self._position)

    def make_safe(self) -> None:
        self._carousel.halt()

    def close(self) -> None:
        self._carousel.close()
