"""Lines without hardware: gpiozero's mock pins, which say in the log what they do.

Imports gpiozero when it is loaded.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from gpiozero.pins.mock import MockFactory, MockPWMPin

from edge.actuators.numbered import NumberedLines

_log = logging.getLogger(__name__)

Hear = Callable[[float], None]


class SpokenPin(MockPWMPin):  # type: ignore[misc]
    """A simulated pin that tells its lines of every change that somebody drives."""

    def _change_state(self, value: float) -> bool:
        has_changed = bool(super()._change_state(value))
        if has_changed and self.function == "output":
            self.factory.changed(self.info.name, value)
        return has_changed


class SimulatedLines(MockFactory):  # type: ignore[misc]
    """The lines of a simulated board; each change of a driven one is a line of the log (level info).

    Inputs stay as they are pulled, or as what is wired to them drives them.
    """

    def __init__(self) -> None:
        super().__init__(pin_class=SpokenPin)
        self._wires: dict[str, list[Hear]] = defaultdict(list)
        self._quiet: set[str] = set()

    def _get_board_info(self) -> NumberedLines:
        return NumberedLines()

    def wire(self, pin: int, hear: Hear, *, is_quiet: bool = False) -> None:
        """Tell `hear` each new state of a driven line, 0..1; a quiet one is not logged."""
        name = self.pin(pin).info.name
        self._wires[name].append(hear)
        if is_quiet:
            self._quiet.add(name)

    def drive(self, pin: int, *, is_low: bool) -> None:
        """Let an input read low or high."""
        line = self.pin(pin)
        if line.function == "input":  # nobody has made it an output meanwhile
            line.drive_low() if is_low else line.drive_high()

    def changed(self, name: str, value: float) -> None:
        """Somebody drives the line called `name`."""
        if name not in self._quiet:
            _log.info("line %s: %g", name, value)
        for hear in self._wires[name]:
            hear(value)


@dataclass(frozen=True, slots=True)
class SimulatedSensor:
    """A switch or a light barrier on `pin` that sees each movement."""

    lines: SimulatedLines
    pin: int
    active_low: bool

    def see(self, *, is_moved: bool) -> None:
        """What it watches is away from its rest, or back."""
        self.lines.drive(self.pin, is_low=is_moved == self.active_low)

    def watch(self, pin: int, resting: float) -> None:
        """See what hangs on line `pin` move whenever that is not in its `resting` state."""
        self.lines.wire(pin, lambda value: self.see(is_moved=value != resting))


class SimulatedMotor:
    """A stepper with its driver, and a switch that closes to ground at home; it begins a third of a turn away.

    `on_place` is told each place, in steps from home, that it comes to.
    """

    def __init__(
        self,
        lines: SimulatedLines,
        *,
        step_pin: int,
        direction_pin: int,
        home_pin: int,
        enable_pin: int | None,
        steps_per_turn: int,
        on_place: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._lines = lines
        self._direction_pin = direction_pin
        self._home_pin = home_pin
        self._enable_pin = enable_pin
        self._steps_per_turn = steps_per_turn
        self._on_place = on_place
        self.place = steps_per_turn // 3
        lines.wire(step_pin, self._step, is_quiet=True)
        lines.wire(direction_pin, self._turn_round, is_quiet=True)

    def _turn_round(self, value: float) -> None:
        _log.info("carousel: at step %d, now turning %s", self.place, "away from home" if value else "towards home")

    def _step(self, value: float) -> None:
        # These drivers step on the rising edge, and only while their enable input is low.
        if not value or (self._enable_pin is not None and self._lines.pin(self._enable_pin).state):
            return
        forward = 1 if self._lines.pin(self._direction_pin).state else -1
        self.place = (self.place + forward) % self._steps_per_turn
        self._lines.drive(self._home_pin, is_low=self.place == 0)
        if self.place == 0:
            _log.info("carousel: at home")
        self._on_place(self.place)
