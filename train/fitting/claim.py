"""A run directory belongs to one process at a time."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import TryAgainError
from edge.files.whole_file import UNFINISHED

_log = logging.getLogger(__name__)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """`folder`, made where it is not there, is this process's alone while the block lasts; a kill frees it too.

    The lock is on the folder itself, so that no file more is in it. A file system that has no locks gives none. What
    a killed process had half written there goes: a checkpoint may be hundreds of megabytes.

    Raises:
        TryAgainError: another process has it.
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, fcntl.LOCK_EX):
        for left in folder.glob(f"{UNFINISHED}*"):
            left.unlink()
        yield


def check_free(folder: Path) -> None:
    """Refuse a folder that another process has, before any work is done for it.

    Raises:
        TryAgainError: another process has it.
    """
    if folder.is_dir():
        with _locked(folder, fcntl.LOCK_SH):
            pass


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TryAgainError(
                f"another sorter is training into {folder}: wait until it is done, or choose another --out"
            ) from error
        except OSError as error:  # NFS, for one, locks no folders
            _log.info("%s cannot be locked (%s): a second run into it would not be noticed", folder, error.strerror)
        yield
    finally:
        os.close(descriptor)
