"""What a test hands to a camera's reader, one step at a time."""

from __future__ import annotations

from queue import Queue
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """Steps for one reader's thread, which takes the next one when it is through with the last."""

    def __init__(self) -> None:
        self._steps: Queue[T] = Queue()
        self._is_busy = False

    def give(self, *steps: T) -> None:
        """Hand these over, and wait until the reader is through with them."""
        for step in steps:
            self._steps.put(step)
        self._steps.join()

    def take(self) -> T:
        """For the reader: be through with the last step, and wait for the next."""
        self.finish()
        step = self._steps.get()
        self._is_busy = True
        return step

    def finish(self) -> None:
        """For the reader: be through with the last step."""
        if self._is_busy:
            self._is_busy = False
            self._steps.task_done()
