"""A bin at work: its loop, and what is attended to between two ticks, also while the camera is blind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from edge.errors import CameraError, DarkPictureError, UnavailableError

# A pulse as long as may be set, and its way, or a carousel's whole turn and back. Who asks for a restart may do so
# because something hangs.
_LONGEST_MOVEMENT_S = 75.0
# What hangs between a camera and its driver may end with the process alone. Thirty starts an hour wear out no card.
_LONGEST_BLIND_S = 120.0


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

    It ends as its source does, or when `wants_restart` says so and nothing `is_moving` any more. One that
    `is_started_again` ends after two minutes without its camera, too; a dark one is none that is away.
    """

    def __init__(
        self,
        loop: Steps,
        attendants: Sequence[Callable[[], None]],
        wants_restart: Callable[[], bool],
        is_moving: Callable[[], bool] = lambda: False,
        now_s: Callable[[], float] = time.monotonic,
        *,
        is_started_again: bool = False,
    ) -> None:
        self._loop = loop
        self._is_started_again = is_started_again
        self._attendants = attendants
        self._wants_restart = wants_restart
        self._is_moving = is_moving
        self._now_s = now_s
        self._asked_at_s: float | None = None
        self._seen_at_s = now_s()

    @property
    def wants_restart(self) -> bool:
        """It ends, or ended, because somebody asked for it and not because its source did."""
        return self._wants_restart()

    @property
    def is_idle(self) -> bool:
        return self._loop.is_idle

    def step(self) -> bool:
        # Before the tick: a blind camera ends each by an error.
        if self._is_to_end():
            return False
        try:
            return self._look()
        finally:
            for attend in self._attendants:
                attend()

    def finish(self) -> None:
        self._loop.finish()

    def _look(self) -> bool:
        try:
            has_more = self._loop.step()
        except DarkPictureError:  # the camera works, and sees when the light comes back
            self._seen_at_s = self._now_s()
            raise
        except CameraError as error:
            if self._is_started_again and self._now_s() - self._seen_at_s > _LONGEST_BLIND_S:
                raise UnavailableError(f"no picture for {_LONGEST_BLIND_S / 60:.0f} min: {error}") from error
            raise
        self._seen_at_s = self._now_s()
        return has_more

    def _is_to_end(self) -> bool:
        if not self._wants_restart():
            return False
        now_s = self._now_s()
        if self._asked_at_s is None:
            self._asked_at_s = now_s
        return not self._is_moving() or now_s - self._asked_at_s > _LONGEST_MOVEMENT_S
