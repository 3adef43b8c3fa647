"""The end of a bin: what may hang then shares a few seconds, so that the bin ends before it is killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from edge.clock import Patience

# The unit's TimeoutStopSec leaves room for this and for the tick in hand.
FAREWELL_S = 2.0


class Farewell(ExitStack):
    """An ExitStack whose parts share `total_s` when they end, the last to be opened first.

    They count from the first of these ends; actuators are opened last, so that they are safe before anything waits.
    """

    def __init__(self, total_s: float = FAREWELL_S, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._total_s = total_s
        self._now_s = now_s
        self._patience: Patience | None = None

    def stopping(self, stop: Callable[[float], object]) -> None:
        """Call `stop` at the end, with the seconds for which it may wait."""
        self.callback(lambda: stop(self._next_s()))

    def _next_s(self) -> float:
        if self._patience is None:
            self._patience = Patience(self._total_s, self._now_s)
        return self._patience.next_s()
