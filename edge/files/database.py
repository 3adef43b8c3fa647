"""One SQLite file: its connection, its lock, its owner, and SQLite's errors in the project's words."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge.errors import AccessDeniedError, ConfigError, InvalidDataError, SorterError, StorageError, TryAgainError

# How long a writer waits for another connection's commit; on a worn SD card one can take seconds.
_BUSY_S = 10.0


class Claim:
    """That this process owns a database, until it is closed; `is_new` where no process has owned it before."""

    def __init__(self, lock_file: IO[bytes], path: Path, *, is_new: bool) -> None:
        self._lock_file = lock_file
        self._path = path
        self.is_new = is_new

    def close(self, *, is_refused: bool = False) -> None:
        """Let others own it. With `is_refused`, a lock that was made for nothing is taken away again."""
        if is_refused and self.is_new:
            self._path.unlink(missing_ok=True)
        self._lock_file.close()


def claim(path: Path) -> Claim:
    """Make this process the owner of the database at `path`, until the claim is closed.

    The lock is a file beside it: closing any handle of the database itself would drop SQLite's own locks.

    Raises:
        ConfigError: a folder stands there.
        TryAgainError: another process owns it.
        AccessDeniedError, StorageError: the folder cannot be made or written.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: expected a file, found a folder; name a file in it")
    lock_path = _lock_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not lock_path.exists()
        lock_file = lock_path.open("ab")
    except PermissionError as error:
        denied = error.filename or path
        raise AccessDeniedError(
            f"{denied}: expected what this user may write to, found {error.strerror}; give it to the bin's user (chown)"
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: expected a folder that can be written to, found {error.strerror}") from error
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock_file.close()
        raise TryAgainError(f"{path}: another sorter has it open; stop that one, or name another file") from error
    return Claim(lock_file, lock_path, is_new=is_new)


def is_claimed(path: Path) -> bool:
    """Whether a process owns the database at `path`, as far as this user may know."""
    try:
        with _lock_path(path).open("rb") as lock_file:
            fcntl.flock(lock_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


class Database:
    """A connection that several threads may share; each block holds its lock.

    Every SQLite error inside a block leaves it as a SorterError that names the file. `is_damaged` when one of them
    was damage.
    """

    def __init__(self, path: str, *, is_read_only: bool = False) -> None:
        self.path = path
        self.is_damaged = False
        self._is_read_only = is_read_only
        self._lock = threading.RLock()
        with self._errors():
            self._connection = self._connect()

    def reopen(self) -> None:
        """Turn to the file that stands at the path now."""
        with self._lock, self._errors():
            self._connection.close()
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        address = f"{Path(self.path).absolute().as_uri()}?mode=ro" if self._is_read_only else self.path
        try:
            return _connection(address, is_address=self._is_read_only)
        except sqlite3.OperationalError:
            # A file in WAL mode wants a folder to write to, unless nobody else has it open either.
            if not self._is_read_only or Path(f"{self.path}-wal").exists():
                raise
            return _connection(f"{address}&immutable=1", is_address=True)

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
            self.is_damaged |= is_damage(error)
            raise _translate(error, self.path) from error


def _connection(address: str, *, is_address: bool) -> sqlite3.Connection:
    # Autocommit, so that BEGIN and COMMIT stand in `transaction` and nowhere else.
    connection = sqlite3.connect(
        address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=is_address
    )
    connection.row_factory = sqlite3.Row
    if is_address:
        try:
            connection.execute("PRAGMA schema_version").fetchone()  # opens the file, so that it fails here
        except BaseException:
            connection.close()
            raise
    return connection


# By SQLite's primary result codes: which error it is, and what to do.
_MEANINGS: Mapping[int, tuple[type[SorterError], str]] = {
    sqlite3.SQLITE_NOTADB: (InvalidDataError, "expected a journal; move it away to start a new one"),
    # Also of a disk that has failed to read for a moment.
    sqlite3.SQLITE_CORRUPT: (
        InvalidDataError,
        "the journal is damaged, or the disk does not give it back; start the bin again, which puts it aside",
    ),
    sqlite3.SQLITE_CONSTRAINT: (InvalidDataError, "expected an id and a seq that are new"),
    sqlite3.SQLITE_BUSY: (TryAgainError, "another program is using it; try again when it has finished"),
    sqlite3.SQLITE_LOCKED: (TryAgainError, "another program is using it; try again when it has finished"),
    sqlite3.SQLITE_PERM: (AccessDeniedError, "this user may not open it"),
    # Also where its folder cannot be written; the two look the same to SQLite.
    sqlite3.SQLITE_CANTOPEN: (
        AccessDeniedError,
        "this user may not open it, or its folder; give both to the bin's user",
    ),
    sqlite3.SQLITE_FULL: (StorageError, "no room left; free space on the disk or raise the size limit"),
    sqlite3.SQLITE_READONLY: (StorageError, "cannot be written; check its permissions and how the disk is mounted"),
}


_DAMAGE = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says that a file is no database, a broken one, or one that its disk does not give back."""
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGE


def _code(error: sqlite3.Error) -> int:
    # Of text that is none Python says so itself, without a code.
    otherwise = sqlite3.SQLITE_CORRUPT if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_ERROR
    # The low byte is the primary code, https://www.sqlite.org/rescode.html section 3.
    code: int = getattr(error, "sqlite_errorcode", otherwise)
    # A sector that cannot be read (EIO) is this where it holds a page, and an error of its own in a write-ahead log.
    return sqlite3.SQLITE_CORRUPT if code == sqlite3.SQLITE_IOERR_CORRUPTFS else code & 0xFF


def _translate(error: sqlite3.Error, path: str) -> SorterError:
    kind, meaning = _MEANINGS.get(
        _code(error), (StorageError, "cannot be read or written: is the disk full, or worn out?")
    )
    return kind(f"{path}: {meaning} (found: {error})")
