"""gpiozero's lgpio lines, with what gpiozero 2.0.1 lacks: a level from the start, fine PWM, boards that are no Pi.

Imports lgpio when it is loaded: take it through `edge.actuators.gpio.open_pin_factory`.
"""

from __future__ import annotations

import lgpio
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin

from edge.actuators.numbered import NumberedLines


class ChipPin(LGPIOPin):  # type: ignore[misc]
    """A pin that has its first level when it becomes an output, and a duty cycle that is not cut to whole percent.

    gpiozero claims an output low and then sets it: a relay that switches at low is on for 50 us. It cuts the
    duty cycle (its issue 1209), which leaves a servo five positions: one percent of a 20 ms frame is a fifth
    of its whole travel.
    """

    _pwm: tuple[int, float] | None

    def output_with_state(self, state: float) -> None:
        lgpio.gpio_claim_output(self.factory._handle, self._number, int(state > 0))  # noqa: SLF001 - as below

    def _set_state(self, value: float) -> None:
        if self._pwm is None:
            super()._set_state(value)
            return
        frequency_hz, _ = self._pwm
        self._pwm = (frequency_hz, value * 100)
        lgpio.tx_pwm(self.factory._handle, self._number, *self._pwm)  # noqa: SLF001 - it has no public name


class PiFactory(LGPIOFactory):  # type: ignore[misc]
    """The lines of a Raspberry Pi."""

    def __init__(self, chip: int | None = None) -> None:
        super().__init__(chip)
        self.pin_class = ChipPin


class ChipFactory(PiFactory):
    """The lines of one /dev/gpiochip on any board, by number."""

    def _get_board_info(self) -> NumberedLines:
        return NumberedLines()
