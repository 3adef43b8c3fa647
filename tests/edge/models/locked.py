"""Another command that is in the middle of changing the models, and a bin that waits for its own thread."""

from __future__ import annotations

import fcntl
import queue
from collections.abc import Generator
from contextlib import contextmanager

from edge.models.store import ModelStore
from edge.running.scribe import Scribe


@contextmanager
def locked(store: ModelStore) -> Generator[None]:
    """While it lasts, whoever wants to write into the store is told to try again."""
    with (store.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def finish(scribe: Scribe) -> None:
    """Wait until all that was given to it is done."""
    done = queue.Queue[None]()
    scribe.try_later(lambda: done.put(None))
    done.get(timeout=30)
