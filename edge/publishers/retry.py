"""Trying again until it works, with growing pauses, and one word about what is wrong."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import SorterError, UnavailableError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """Pauses between attempts: from `min_s`, doubling, to `max_s`."""

    min_s: float = 1.0
    max_s: float = 300.0


class RefusedError(UnavailableError):
    """The sink is there, and will not take what it was given."""


class Retry:
    """Makes attempts at reaching one sink; used by one thread.

    `wait` pauses, and returns early when the event is set.
    """

    def __init__(
        self, settings: RetrySettings, wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    ) -> None:
        self._settings = settings
        self._wait = wait
        self._pause_s = settings.min_s
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """What the last attempt failed with; None when it succeeded."""
        return self._problem

    def until_answered(self, attempt: Callable[[], None], stopping: threading.Event) -> bool | None:
        """Repeat `attempt` while it raises SorterError: True when it worked, False when it was refused.

        None when `stopping` was set before.
        """
        while not stopping.is_set():
            try:
                attempt()
            except RefusedError as error:
                self._note(str(error))
                return False
            except SorterError as error:
                self._note(str(error))
                self.pause(stopping)
            else:
                self._note(None)
                self._pause_s = self._settings.min_s
                return True
        return None

    def pause(self, stopping: threading.Event) -> None:
        """Wait, longer each time until something works; returns early when `stopping` is set."""
        # Jitter keeps a hundred bins from coming back to a server at the same moment.
        self._wait(stopping, self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        self._pause_s = min(2 * self._pause_s, self._settings.max_s)

    def _note(self, problem: str | None) -> None:
        if problem is not None:
            _log.log(logging.DEBUG if problem == self._problem else logging.WARNING, "%s", problem)
        elif self._problem is not None:
            _log.info("works again after: %s", self._problem)
        self._problem = problem
