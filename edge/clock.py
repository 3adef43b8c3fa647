"""Time, passed in rather than read: the loop's clock and its replayed twin.

A clock counts monotonic seconds and knows what wall time they stand for. Whatever a bin decides by time is
given one, or the time itself; how long something took is measured, and a file dated, where that is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds, counted from when the source began, and the wall time they stand for."""

    def now_s(self) -> float:
        """Seconds since the clock began; never goes back."""
        ...

    def wall(self, at_s: float) -> datetime:
        """The moment `at_s` as UTC wall time."""
        ...


class PacedClock(Clock, Protocol):
    """A clock that whatever has its own times can wait by: a film, a simulation."""

    def wait_until(self, at_s: float) -> None:
        """Let `at_s` come: the real clock blocks the calling thread, a replayed one jumps there."""
        ...


class SystemClock:
    """The real clock: monotonic seconds since it was made.

    Wall time is read when asked for, not at the start: a Raspberry Pi has no battery clock, and the
    first minutes after boot may carry the wrong year.
    """

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def now_s(self) -> float:
        return time.monotonic() - self._began_s

    def wall(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(time.time() - (self.now_s() - at_s), UTC)

    def sleep(self, duration_s: float) -> None:
        """Block the calling thread; negative durations return at once."""
        if duration_s > 0:
            time.sleep(duration_s)

    def wait_until(self, at_s: float) -> None:
        self.sleep(at_s - self.now_s())


class ReplayClock:
    """A clock that stands still until a replayed frame moves it, so that a replay is repeatable."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._began_wall_s = time.time()

    def now_s(self) -> float:
        return self._now_s

    def wall(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(self._began_wall_s + at_s, UTC)

    def advance_to(self, at_s: float) -> None:
        """Move to `at_s`; an earlier time than now is ignored."""
        self._now_s = max(self._now_s, at_s)

    def wait_until(self, at_s: float) -> None:
        self.advance_to(at_s)


class Patience:
    """`total_s` seconds from now on that several waits share, in turn.

    Each gets half of what is left, so that one that takes all of it leaves something to those after it.
    """

    def __init__(self, total_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._until_s = now_s() + total_s

    def next_s(self) -> float:
        """How long the next one may wait, seconds."""
        return max(0.0, self._until_s - self._now_s()) / 2


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds, as every record that leaves the process carries it.

    >>> rfc3339(datetime(2026, 11, 21, 1, 52, 7, 413000, UTC))
    '2026-11-21T01:52:07.413Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
