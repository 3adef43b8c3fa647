"""A board of which nothing is known but that its lines have numbers, as gpiozero asks for boards.

Imports gpiozero when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpiozero import PinInfo


class NumberedLines:
    """What gpiozero asks of a board: only which pin a name means. Whether there is such a line, the chip says."""

    def find_pin(self, name: int | str) -> Iterator[tuple[None, PinInfo]]:
        """The line called 5, "5" or "GPIO5", as the only match; nothing for other names."""
        number = str(name).removeprefix("GPIO")
        if number.isdecimal():
            line = int(number)
            names = frozenset({line, number, f"GPIO{line}"})
            yield None, PinInfo(line, f"GPIO{line}", names, "", 1, line + 1, frozenset({"gpio"}))
