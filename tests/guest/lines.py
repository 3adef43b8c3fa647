"""The far side of the lines: which level each has, and every level that it was given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.box.box import Box

# The kernel's own trace: `sorter-612 [000] d..1.   52.031337: gpio_value: 501 set 1`.
_SET = re.compile(r"\s(\d+\.\d+): gpio_value: (\d+) set ([01])$")
# The kernel numbers lines over all chips, and gives the first chip its last numbers (x86, Linux 6.1).
FIRST_LINE = 1024 - 28
_SIMULATED = "/sys/devices/platform/gpio-sim.0"


@dataclass(frozen=True, slots=True)
class Change:
    """A line was told to be on or off; `at_s` counts as the guest's kernel does."""

    at_s: float
    line: int
    is_on: bool


class Lines:
    """`witness` is the file outside in which the guest's kernel notes what it did: it outlives the guest."""

    def __init__(self, box: Box, witness: Path) -> None:
        self._box = box
        self._witness = witness

    def is_on(self, line: int) -> bool:
        """The level that a relay on this line would see now."""
        return self._box("sh", "-c", f"cat {_SIMULATED}/gpiochip*/sim_gpio{line}/value") == "1"

    def pull(self, line: int, *, up: bool) -> None:
        """Let a resistor, a switch or a light barrier pull the line while nobody drives it."""
        pulled = "pull-up" if up else "pull-down"
        self._box("sh", "-c", f"echo {pulled} > $(ls -d {_SIMULATED}/gpiochip*/sim_gpio{line})/pull")

    def changes(self) -> list[Change]:
        """Every level that any line was given, in order, since the machine's first boot."""
        return list(self._parsed())

    def _parsed(self) -> Iterator[Change]:
        for text in self._witness.read_text(encoding="ascii", errors="replace").splitlines():
            if found := _SET.search(text):
                yield Change(float(found[1]), int(found[2]) - FIRST_LINE, found[3] == "1")
