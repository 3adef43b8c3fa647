"""One SQLite file: its connection, its lock, its owner, and SQLite's errors in the project's words."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge.errors import AccessDeniedError, InvalidDataError, SorterError, StorageError, TryAgainError

# How long a writer waits for another connection's commit; on a worn SD card one can take seconds.
_BUSY_S = 10.0


def claim(path: Path) -> IO[bytes]:
    """Make this process the owner of the database at `path`, until the returned file is closed.

    The lock is a file beside it: closing any handle of the database itself would drop SQLite's own locks.

    Raises:
        TryAgainError: another process owns it.
        AccessDeniedError, StorageError: the folder cannot be made or written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_file = lock_path.open("ab")
    except PermissionError as error:
        raise AccessDeniedError(f"{path}: expected a folder this user may write to, found {error.strerror}") from error
    except OSError as error:
        raise StorageError(f"{path}: expected a folder that can be written to, found {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock_file.close()
        raise TryAgainError(f"{path}: another sorter has it open; stop that one, or name another file") from error
    return lock_file


class Database:
    """A connection that several threads may share; each block holds its lock.

    Every SQLite error inside a block leaves it as a SorterError that names the file.
    """

    def __init__(self, path: str, *, is_read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        address = f"{Path(path).absolute().as_uri()}?mode=ro" if is_read_only else path
        with self._errors():
            # Autocommit, so that BEGIN and COMMIT stand below and nowhere else.
            self._connection = sqlite3.connect(
                address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=is_read_only
            )
            self._connection.row_factory = sqlite3.Row

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one statement or for settings."""
        with self._lock, self._errors():
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a write transaction: all or nothing, committed when the block ends."""
        with self._lock, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back already; a second ROLLBACK would hide why.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; the last connection to close folds the write-ahead log into it."""
        with self._lock, self._errors():
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error


# By SQLite's primary result codes: which error it is, and what to do.
_MEANINGS: Mapping[int, tuple[type[SorterError], str]] = {
    sqlite3.SQLITE_NOTADB: (InvalidDataError, "expected a journal; move it away to start a new one"),
    sqlite3.SQLITE_CORRUPT: (InvalidDataError, "the journal is damaged; move it away to start a new one"),
    sqlite3.SQLITE_CONSTRAINT: (InvalidDataError, "expected an id and a seq that are new"),
    sqlite3.SQLITE_BUSY: (TryAgainError, "another program is using it; try again when it has finished"),
    sqlite3.SQLITE_LOCKED: (TryAgainError, "another program is using it; try again when it has finished"),
    sqlite3.SQLITE_PERM: (AccessDeniedError, "this user may not open it"),
    sqlite3.SQLITE_FULL: (StorageError, "no room left; free space on the disk or raise the size limit"),
    sqlite3.SQLITE_READONLY: (StorageError, "cannot be written; check its permissions and how the disk is mounted"),
}


def _translate(error: sqlite3.Error, path: str) -> SorterError:
    # The low byte is the primary code, https://www.sqlite.org/rescode.html section 3.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    kind, meaning = _MEANINGS.get(code, (StorageError, "cannot be read or written; check the disk"))
    return kind(f"{path}: {meaning} (found: {error})")
