"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import AccessDeniedError, SorterError, StorageError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a place beside `path` to write to. What is there when the block ends takes the place of `path`.

    On an error, a full disk or Ctrl-C it goes, and what was at `path` stays. Links are followed, permissions kept;
    a device is written to, never replaced.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    target = path.resolve()
    is_device = target.exists() and not target.is_file()
    unfinished = target if is_device else target.with_name(f".{os.getpid()}-{target.name}")
    try:
        yield unfinished
        if not is_device:
            _take_permissions(unfinished, target)
            unfinished.replace(target)
    except SorterError:
        raise
    except PermissionError as error:
        raise AccessDeniedError(f"{path} may not be written by this user: choose another place") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if not is_device:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


def _take_permissions(unfinished: Path, target: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):
        old = target.stat()
        unfinished.chmod(old.st_mode & 0o7777)
        os.chown(unfinished, old.st_uid, old.st_gid)
