"""What visitors said of decisions, told to the others who look at them at the same time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

# A page asks each second; one that slept longer learns the rest when it shows the items anew.
_NUM_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Word:
    """The right label of a decision, or None: it was wrong."""

    id: str
    label: str | None


class Said:
    """The newest words since the page began, in order. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: deque[Word] = deque(maxlen=_NUM_KEPT)
        self._number = 0

    def add(self, words: Iterable[Word]) -> None:
        """Remember them."""
        with self._lock:
            for word in words:
                self._words.append(word)
                self._number += 1

    def after(self, number: int) -> tuple[int, list[Word]]:
        """How many there were by now, and those after the first `number`; none for whoever asks for the first time."""
        with self._lock:
            num_new = self._number - number if number >= 0 else 0
            return self._number, list(self._words)[-num_new:] if num_new > 0 else []
