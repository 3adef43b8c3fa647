"""What becomes of a journal that the card has damaged: it is put aside, and its bin begins anew with what it can read.

Beside `journal.sqlite` it then lies as `journal.damaged-1.sqlite`, until the owner takes it away.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from edge.errors import InvalidDataError, StorageError
from edge.files.database import Database
from edge.files.whole_file import sync
from edge.journal.tables import prepare

# A card that damages one after the other must not fill itself with them.
_MAX_ASIDE = 3
# Of each table the newest rows, which takes a slow card a second or two; the others lie in what was put aside.
_NUM_TAKEN_OVER = 1000
# More than they can take. The bin's own bound is met as one that was lowered is: step by step, the oldest first.
_ROOM_BYTES = 1 << 40
# In this order: the last two refer to decisions.
_TABLES = ("settings", "bins", "outbox", "decisions", "actuations", "corrections")
# SQLite's own files of one database.
_SUFFIXES = ("", "-wal", "-shm")
_BLOCK_BYTES = 4096


def put_aside(path: Path) -> Path:
    """Put another journal in the place of the damaged one, which nobody has open; gives where that lies now.

    Numbering, counts, switches and what sinks still lack go on, as far as they can be read.

    Raises:
        InvalidDataError: too many lie there already.
        StorageError: there is no room for another one, or no right to write it.
    """
    aside = next((place for place in _places(path) if not place.exists()), None)
    if aside is None:
        raise InvalidDataError(
            f"{path}: the journal is damaged again, and {_MAX_ASIDE} damaged ones lie beside it: "
            f"replace the card, then move {path.stem}.damaged-* away"
        )
    new = _new(path)
    try:
        for suffix in _SUFFIXES:  # of one that a power cut left half written
            _with(new, suffix).unlink(missing_ok=True)
        with closing(Database(str(new))) as database:
            with database.reading() as connection:
                prepare(connection, str(new), _ROOM_BYTES)
            _cut_where_unreadable(_with(path, "-wal"))
            with database.transaction() as connection:
                _take_over(path, connection)
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                _with(path, suffix).rename(_with(aside, suffix))
        take_its_place(path)
    except OSError as error:
        raise StorageError(f"{path}: damaged, and no new one can be begun: {error.strerror or error}") from error
    return aside


def take_its_place(path: Path) -> None:
    """Let the new journal take the place that the damaged one has left; for a start after a power cut between the two.

    Raises:
        OSError: the folder cannot be written.
    """
    new = _new(path)
    if new.exists() and not path.exists():
        for suffix in _SUFFIXES[1:]:  # of the damaged one: SQLite would mix them into the new
            _with(path, suffix).unlink(missing_ok=True)
        new.rename(path)
        sync(path.parent)


def complaint(path: Path) -> str | None:
    """What an owner must know of the damaged journals beside the one at `path`; None where there are none."""
    names = [place.name for place in _places(path) if place.exists()]
    if not names:
        return None
    return (
        f"{path}: the journal was damaged, and the bin began a new one; what was before lies in {', '.join(names)}:"
        " see whether the card is worn out, and move that away"
    )


def _places(path: Path) -> list[Path]:
    return [path.with_name(f"{path.stem}.damaged-{number}{path.suffix}") for number in range(1, _MAX_ASIDE + 1)]


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _cut_where_unreadable(log: Path) -> None:
    """Leave of a write-ahead log what comes before a bad sector: without it SQLite can take nothing that follows.

    It is where a card writes most, and so what a power cut leaves unreadable first.
    """
    if not log.exists():
        return
    with log.open("r+b", buffering=0) as file:
        num_bytes = 0
        try:
            while block := os.pread(file.fileno(), _BLOCK_BYTES, num_bytes):
                num_bytes += len(block)
        except OSError:
            file.truncate(num_bytes)


def _take_over(damaged: Path, connection: sqlite3.Connection) -> None:
    with suppress(InvalidDataError), closing(Database(str(damaged))) as old:  # not even its first page can be read
        for table in _TABLES:
            for row in _readable(old, table):
                with suppress(sqlite3.IntegrityError):  # it refers to a decision that stayed behind
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - constants only


def _readable(old: Database, table: str) -> Iterator[tuple[object, ...]]:
    """What can be read of a table, the newest first; where it is damaged, what lies behind stays there.

    Raises:
        SorterError: it cannot be read for another reason, such as a full disk: nothing of it is lost yet.
    """
    with suppress(InvalidDataError), old.reading() as connection:
        yield from map(tuple, connection.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT {_NUM_TAKEN_OVER}"))  # noqa: S608 - constants only
