"""A bin at work: its loop, and what is attended to between two ticks, also while the camera is blind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Steps(Protocol):
    """What `edge.service.serve` drives; see `edge.loop.Loop`."""

    @property
    def is_idle(self) -> bool:
        """Nothing lies before the camera, and no item waits for its decision."""
        ...

    def step(self) -> bool:
        """Take one frame all the way; False when there is no more."""
        ...

    def finish(self) -> None:
        """Nothing more is seen."""
        ...


class RunningBin:
    """Steps a loop. After each tick, whatever came of it, `attendants` are called; none of them may block.

    It ends as its source does, or when `wants_restart` says so.
    """

    def __init__(
        self, loop: Steps, attendants: Sequence[Callable[[], None]], wants_restart: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._attendants = attendants
        self._wants_restart = wants_restart

    @property
    def wants_restart(self) -> bool:
        """It ends, or ended, because somebody asked for it and not because its source did."""
        return self._wants_restart()

    @property
    def is_idle(self) -> bool:
        return self._loop.is_idle

    def step(self) -> bool:
        try:
            has_more = self._loop.step()
        finally:
            for attend in self._attendants:
                attend()
        return has_more and not self._wants_restart()

    def finish(self) -> None:
        self._loop.finish()
