"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import AccessDeniedError, SorterError, StorageError

# What the names of files begin with that a kill left behind, half written.
UNFINISHED = ".unfinished-"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """As `replacing`, for what an owner named: the system's errors become ours.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    try:
        with replacing(path) as unfinished:
            yield unfinished
    except SorterError:
        raise
    except PermissionError as error:
        raise AccessDeniedError(f"{path} may not be written by this user: choose another place") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a place beside `path` to write to. What is there when the block ends takes the place of `path` on the disk.

    On an error, a full disk or Ctrl-C it goes, and what was at `path` stays; a power cut leaves the one or the other.
    Links are followed, permissions and the suffix kept; a device is written to, never replaced.

    Raises:
        OSError: it cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        yield target
        return
    unfinished = target.with_name(f"{UNFINISHED}{os.getpid()}-{target.name}")
    try:
        yield unfinished
        sync(unfinished)
        _take_permissions(unfinished, target)
        unfinished.replace(target)
        with suppress(OSError):  # not every file system can, and the file is there
            sync(target.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until what a file holds, or what a folder names, is on the disk.

    Raises:
        OSError: it does not get there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_permissions(unfinished: Path, target: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):
        old = target.stat()
        unfinished.chmod(old.st_mode & 0o7777)
        os.chown(unfinished, old.st_uid, old.st_gid)
