"""What is wrong with the bin now, in one place: whoever finds something says so, and says when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Problems:
    """Sentences for the owner, one for each source. Any thread may report and read."""

    def __init__(self) -> None:
        self._of_source: dict[str, str] = {}
        self._lock = threading.RLock()
        self._listeners: list[Callable[[list[str]], None]] = []

    def listen(self, on_change: Callable[[list[str]], None]) -> None:
        """Tell `on_change` the sentences now and after every change, in the thread that reports; it must not block."""
        with self._lock:
            self._listeners.append(on_change)
            on_change(self.sentences())

    def report(self, source: str, sentence: str | None) -> None:
        """What is wrong with `source`; None when nothing is, or not any more."""
        with self._lock:
            if self._of_source.get(source) == sentence:
                return
            if sentence is None:
                del self._of_source[source]
            else:
                self._of_source[source] = sentence
            for tell in self._listeners:
                tell(self.sentences())

    def sentences(self) -> list[str]:
        """All that is wrong, what began first in front."""
        with self._lock:
            return list(self._of_source.values())
