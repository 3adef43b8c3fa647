"""A flap on a hobby servo: swings to the open angle, waits, swings back, and lets go."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.actuators.gpio import import_gpiozero, line_errors
from edge.errors import ConfigError

if TYPE_CHECKING:
    from gpiozero import Factory


@dataclass(frozen=True, slots=True)
class ServoSettings:
    """A flap's servo; angles in degrees between `min_angle` and `max_angle`.

    The pulse widths belong to these two ends; 0.5 to 2.5 ms is what most hobby servos take for 180
    degrees, 1 to 2 ms what their standard promises for 90. `travel_s` is how long a swing takes under
    load, `open_s` how long the flap stays open.
    """

    pin: int | str
    rest_angle: float = 0.0
    open_angle: float = 90.0
    open_s: float = 1.0
    travel_s: float = 0.5
    min_angle: float = 0.0
    max_angle: float = 180.0
    min_pulse_s: float = 0.0005
    max_pulse_s: float = 0.0025


class ServoFlap:
    """A flap whose safe position is `rest_angle`.

    No pulses are sent while it rests: a servo that holds hums, heats and trembles. `make_safe` blocks
    for `travel_s` when the flap is, or may be, away from its rest.

    Raises:
        UnavailableError, ConfigError: as PulseActuator; also angles outside of the range.
    """

    def __init__(self, settings: ServoSettings, factory: Factory) -> None:
        for angle in (settings.rest_angle, settings.open_angle):
            if not settings.min_angle <= angle <= settings.max_angle:
                raise ConfigError(
                    f"servo on pin {settings.pin}: expected an angle from {settings.min_angle:g}"
                    f" to {settings.max_angle:g}, found {angle:g}"
                )
        self._settings = settings
        self._halted = threading.Event()
        self._moving = threading.Lock()
        # After a power cut the flap may stand anywhere.
        self._is_resting = False
        with line_errors(settings.pin):
            self._servo = import_gpiozero().AngularServo(
                settings.pin,
                initial_angle=None,
                min_angle=settings.min_angle,
                max_angle=settings.max_angle,
                min_pulse_width=settings.min_pulse_s,
                max_pulse_width=settings.max_pulse_s,
                pin_factory=factory,
            )

    def actuate(self) -> None:
        with self._moving:
            self._halted.clear()
            self._is_resting = False
            try:
                self._servo.angle = self._settings.open_angle
                self._halted.wait(self._settings.travel_s + self._settings.open_s)
            finally:
                self._rest()

    def hold(self, angle: float) -> None:
        """Swing to an angle of the range and stay there, for finding the right ones; `make_safe` ends it.

        Blocks for `travel_s`.
        """
        with self._moving:
            self._halted.clear()
            self._is_resting = False
            self._servo.angle = angle
            self._halted.wait(self._settings.travel_s)

    def make_safe(self) -> None:
        self._halted.set()
        with self._moving:
            if not self._is_resting and not self._servo.closed:
                self._rest()

    def close(self) -> None:
        self.make_safe()
        self._servo.close()

    def _rest(self) -> None:
        self._servo.angle = self._settings.rest_angle
        # Not the event: the way back is walked to its end also when everything else is halted.
        threading.Event().wait(self._settings.travel_s)
        self._servo.detach()
        self._is_resting = True
