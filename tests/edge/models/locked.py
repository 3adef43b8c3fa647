"""Another command that is in the middle of changing the models."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from edge.models.store import ModelStore


@contextmanager
def locked(store: ModelStore) -> Generator[None]:
    """While it lasts, whoever wants to write into the store is told to try again."""
    with (store.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
