"""Looking into a journal from outside of its bin's process, and correcting what stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from edge.class_names import class_name
from edge.errors import InvalidDataError, MissingInputError
from edge.files.database import Database
from edge.journal.entries import ALL, Entry, Filter, count_since, counts, decisions, find, newest, remembered
from edge.journal.tables import JOURNAL_VERSION, be_safe, check_is_journal


class JournalReader:
    """Reads a journal, also while a bin is writing it, and also where only reading is allowed.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: it is no journal, damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        _must_be_there(path)
        self._database = Database(str(path), is_read_only=True)
        try:
            with self._database.reading() as connection:
                _check_version(check_is_journal(connection, self._database.path), path)
        except BaseException:
            self._database.close()
            raise

    def decisions(self, which: Filter = ALL, limit: int = 100, *, newest_first: bool = False) -> list[Entry]:
        """At most `limit` decisions, oldest first unless told otherwise."""
        return decisions(self._database, which, limit, newest_first=newest_first)

    def newest(self, which: Filter = ALL, limit: int = 100) -> Iterator[Entry]:
        """The newest decisions, at most `limit`, oldest first; never more than a few are held in memory."""
        return newest(self._database, which, limit)

    def find(self, id_or_seq: str) -> Entry | None:
        """The decision with this id or seq; of "last" the newest."""
        return find(self._database, id_or_seq)

    def counts(self) -> Mapping[str, int]:
        """Decisions for each bin since the last reset."""
        return counts(self._database)

    def count_since(self, ts: str) -> int:
        """How many decisions are kept from `ts` (RFC 3339 UTC) on."""
        return count_since(self._database, ts)

    def remembered(self, key: str) -> str | None:
        """A setting that the bin kept while it ran; None when there is none."""
        return remembered(self._database, key)

    def reopen(self) -> None:
        """Turn to the file that stands at the path now."""
        self._database.reopen()

    def close(self) -> None:
        self._database.close()


class JournalView:
    """What a bin's own page sees of its journal: read on a connection of its own, so that the loop never waits.

    Made by `Journal.view`.
    """

    def __init__(self, reader: JournalReader, correct: Callable[[str, str | None], Entry]) -> None:
        self._reader = reader
        self._correct = correct

    def decisions(self, which: Filter = ALL, limit: int = 100, *, newest_first: bool = False) -> list[Entry]:
        """At most `limit` decisions, oldest first unless told otherwise. Any thread."""
        return self._reader.decisions(which, limit, newest_first=newest_first)

    def find(self, id_or_seq: str) -> Entry | None:
        """The decision with this id or seq; of "last" the newest. Any thread."""
        return self._reader.find(id_or_seq)

    def counts(self) -> Mapping[str, int]:
        """Decisions for each bin since the last reset. Any thread."""
        return self._reader.counts()

    def correct(self, id_or_seq: str, label: str | None) -> Entry:
        """Write what a person says of a decision. Any thread; one commit."""
        return self._correct(id_or_seq, label)

    def close(self) -> None:
        self._reader.close()


def correct(path: Path, id_or_seq: str, label: str | None) -> Entry:
    """Write into the journal at `path`, also while its bin runs, what a person says of a decision.

    Raises:
        MissingInputError: there is no such file, or no such decision in it.
        SorterError: it cannot be written.
    """
    _must_be_there(path)
    with closing(Database(str(path))) as database:
        with database.reading() as connection:
            _check_version(check_is_journal(connection, database.path), path)
            be_safe(connection)
        return write_correction(database, id_or_seq, label)


def write_correction(database: Database, id_or_seq: str, label: str | None) -> Entry:
    """Write what a person says of a decision: its right label, or None: it was wrong. The last word counts.

    Raises:
        UsageError: `label` cannot be the name of a class, which is also the name of a folder.
        MissingInputError: the journal does not hold this decision, or not any more.
    """
    label = None if label is None else class_name(label)
    found = find(database, id_or_seq)
    if found is None:
        raise MissingInputError(f"{database.path}: no decision {id_or_seq}; it may have made room for newer ones")
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO corrections VALUES (?, ?)", (found.seq, label))
    return replace(found, corrected=label, is_wrong=label is None or label != found.label)


def _must_be_there(path: Path) -> None:
    if not path.is_file():
        raise MissingInputError(
            f"{path}: expected a journal, found no file: `sorter run` writes it; name another with --journal"
        )
    if path.stat().st_size == 0:
        raise MissingInputError(f"{path}: expected a journal, found an empty file; its bin begins one when it starts")


def _check_version(version: int, path: Path) -> None:
    if version < JOURNAL_VERSION:
        raise InvalidDataError(
            f"{path}: expected journal version {JOURNAL_VERSION}, found {version};"
            " its bin brings it up to date when it starts"
        )
