"""What has its frames and times already, a file or a simulation, shown as a camera."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from edge.clock import PacedClock
from edge.errors import UnavailableError
from edge.messages import Frame, Image

# A picture and its time in seconds since the film began; times grow from picture to picture.
Still = tuple[float, Image]


class Film(Protocol):
    """Pictures with times; the same ones at each showing."""

    def play(self) -> Generator[Still, None, None]:
        """Show it from the beginning; closing the generator frees what is open."""
        ...


class FilmCamera:
    """A film as a camera: every frame, in order, none dropped, at the film's own times.

    The clock is waited for at each frame: a `ReplayClock` jumps, which makes a replay as fast as the
    machine and the same every time; a `SystemClock` makes it as slow as the scene was. `next_frame`
    then blocks until the frame is due, whatever its timeout. With `is_patient` the film waits where the machine
    is too slow for it, so that no frame is older than it looks: for a loop that acts on the real clock.
    """

    def __init__(self, film: Film, clock: PacedClock, *, is_patient: bool = False) -> None:
        self._film = film
        self._clock = clock
        self._is_patient = is_patient
        self._playing: Generator[Still, None, None] | None = None
        self._first: Still | None = None
        self._began_s = 0.0
        self._sequence = 0

    def open(self) -> None:
        """Start the film.

        Raises:
            MissingInputError: there is no such file or folder.
            InvalidDataError: it does not hold a single usable picture.
        """
        self.close()
        self._playing = self._film.play()
        self._first = next(self._playing, None)
        self._began_s = self._clock.now_s()
        self._sequence = 0

    def next_frame(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - a film is paced by its times
        if self._playing is None:
            raise UnavailableError("the film is not playing: open it first")
        still, self._first = self._first or next(self._playing, None), None
        if still is None:
            return None
        at_s, image = still
        due_s = self._began_s + at_s
        self._clock.wait_until(due_s)
        if self._is_patient:
            late_s = max(0.0, self._clock.now_s() - due_s)
            self._began_s += late_s
            due_s += late_s
        frame = Frame(self._sequence, due_s, image)
        self._sequence += 1
        return frame

    def close(self) -> None:
        if self._playing is not None:
            self._playing.close()
        self._playing = None
        self._first = None
