"""Lines without hardware: gpiozero's mock pins of a Raspberry Pi, which say in the log what they do.

Imports gpiozero when it is loaded.
"""

from __future__ import annotations

import logging

from gpiozero.pins.mock import MockFactory, MockPWMPin

_log = logging.getLogger(__name__)


class SpokenPin(MockPWMPin):  # type: ignore[misc]
    """A simulated pin whose every change of state is a line of the log (level info)."""

    def _change_state(self, value: float) -> bool:
        has_changed = bool(super()._change_state(value))
        if has_changed and self.function == "output":
            _log.info("line %s: %g", self.info.name, value)
        return has_changed


class SimulatedLines(MockFactory):  # type: ignore[misc]
    """The lines of a simulated Raspberry Pi; inputs stay as they are pulled."""

    def __init__(self) -> None:
        super().__init__(pin_class=SpokenPin)
