"""The journal as its bin writes it."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from edge.clock import Clock, rfc3339
from edge.errors import InvalidDataError, StorageError
from edge.files.database import Database, claim, is_damage
from edge.journal.damage import complaint, put_aside, take_its_place
from edge.journal.entries import ALL, Entry, Filter, counts, decisions, find, remembered
from edge.journal.outbox import Outbox
from edge.journal.reader import JournalReader, JournalView, write_correction
from edge.journal.tables import IN_MEMORY, prepare
from edge.messages import Actuation
from edge.records import DecisionRecord

_log = logging.getLogger(__name__)

# Of the allowed size; beyond it the oldest decisions make room.
_FULL_SHARE = 0.9
_PRUNED_SHARE = 0.01
# At once: more would hold up a commit. A journal above a bound that was lowered shrinks a step with each decision.
_MIN_PRUNED, _MAX_PRUNED = 10, 1000
# Pages of such a journal that a decision gives back to the disk: all at once would take a slow card minutes.
_MAX_GIVEN_BACK = 200
# What a sink has was decided, also where a damaged journal gave back no decision.
_LAST_SEQ = "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM decisions UNION SELECT acknowledged FROM outbox)"


class Journal:
    """The journal of one bin, opened for writing; creates the file and its folder.

    `path` may be IN_MEMORY. At most `keep` decisions stay and the file stays below `max_bytes`: the
    oldest decisions go first. Each write is on disk when it returns (WAL, synchronous=FULL: one fsync).

    Cards rot, and nobody may come for months: a journal that is found damaged, now or while it is open, is put aside
    (`edge.journal.damage`) now, or when it is closed.

    Raises:
        TryAgainError: another process has it open.
        InvalidDataError: the file is no journal, was written by a newer version, or is damaged once too often.
        StorageError, AccessDeniedError: it cannot be created, read or written.
    """

    def __init__(
        self, path: str | Path, clock: Clock, *, keep: int = 100_000, max_bytes: int = 512 * 1024 * 1024
    ) -> None:
        self.path = str(path)
        self._clock = clock
        self._keep = keep
        self._max_bytes = max_bytes
        self._outboxes: list[Database] = []
        self._readers: list[JournalReader] = []
        self._claim = None if self.path == IN_MEMORY else claim(Path(path))
        try:
            if self._claim is not None:
                take_its_place(Path(path))
            try:
                self._open()
            except InvalidDataError as error:
                if not (is_damage(error.__cause__) and self._is_surely_own()):
                    raise
                self._put_aside()
                self._open()
        except BaseException:
            self._release(is_refused=True)
            raise
        self._inode = _inode(self.path)
        self._counts_lock = threading.Lock()

    def _open(self) -> None:
        self._database = Database(self.path)
        try:
            with self._database.reading() as connection:
                self._max_pages = prepare(connection, self.path, self._max_bytes)
                self._last_seq: int = connection.execute(_LAST_SEQ).fetchone()[0]
            with self._database.transaction() as connection:
                self._make_room(connection, num_coming=0)
            # Read by publishers in the loop's thread, which must not wait for a commit of another thread.
            self._counts = dict(counts(self._database))
        except BaseException:
            self._database.close()
            raise

    @property
    def complaint(self) -> str | None:
        """What an owner must know of damaged journals that lie beside this one; None where there are none."""
        return None if self.path == IN_MEMORY else complaint(Path(self.path))

    @property
    def next_seq(self) -> int:
        """The number that the next decision gets."""
        return self._last_seq + 1

    def append(self, record: DecisionRecord, trace: str | None = None) -> None:
        """Write a decision, with its intended movement, and its bin's count in one commit. One thread only.

        Nothing may move before this has returned. A file that was deleted meanwhile is written anew, whole.
        """
        if record.seq != self.next_seq:
            raise InvalidDataError(f"{self.path}: expected seq {self.next_seq}, found {record.seq}; seq has no gaps")
        self._restore_deleted()
        decision = record.decision
        with self._database.transaction() as connection:
            self._make_room(connection, num_coming=1)
            connection.execute(
                "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.seq, record.id, record.ts, decision.outcome.value, decision.label, decision.bin,
                    decision.confidence, record.to_json(), trace,
                ),
            )  # fmt: skip
            if decision.bin is not None:
                connection.execute(
                    "INSERT INTO bins VALUES (?, 1) ON CONFLICT (bin) DO UPDATE SET count = count + 1", (decision.bin,)
                )
        self._last_seq = record.seq
        if decision.bin is not None:
            with self._counts_lock:
                self._counts[decision.bin] = self._counts.get(decision.bin, 0) + 1

    def actuated(self, seq: int, actuation: Actuation, problem: str | None = None) -> None:
        """Write what the actuator did for decision `seq`, and what went wrong. Any thread; blocks for one commit."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO actuations (seq, commanded, confirmed, started, finished, problem)"
                " SELECT seq, ?, ?, ?, ?, ? FROM decisions WHERE seq = ?",
                (
                    actuation.commanded, actuation.is_confirmed,
                    rfc3339(self._clock.wall(actuation.started_at_s)),
                    rfc3339(self._clock.wall(actuation.finished_at_s)), problem, seq,
                ),
            )  # fmt: skip

    def correct(self, id_or_seq: str, label: str | None) -> Entry:
        """Write what a person says of a decision: its right label, or None: it was wrong. Any thread; one commit.

        A label equal to the decision's own confirms it. The last word counts.

        Raises:
            MissingInputError: the journal does not hold this decision, or not any more.
        """
        return write_correction(self._database, id_or_seq, label)

    def corrected_ids(self) -> frozenset[str]:
        """The ids of all decisions that a person said something of. Any thread."""
        with self._database.reading() as connection:
            # As a join SQLite would look at every decision, for seconds in which the next one waits.
            corrected = connection.execute("SELECT id FROM decisions WHERE seq IN (SELECT seq FROM corrections)")
            return frozenset(row[0] for row in corrected)

    def remember(self, key: str, value: str) -> None:
        """Keep a setting that was changed while the bin ran. Any thread; one commit, none where it says so already."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
                " WHERE value IS NOT excluded.value",
                (key, value),
            )

    def remembered(self, key: str) -> str | None:
        """A setting that was kept; None when there is none. Any thread."""
        return remembered(self._database, key)

    def outbox(self, sink: str) -> Outbox:
        """The outbox of `sink`; a sink never seen before begins with the next decision."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO outbox VALUES (?, ?)", (sink, self._last_seq))
        if self.path == IN_MEMORY:
            return Outbox(self._database, sink)  # a second connection would see another, empty database
        database = Database(self.path)
        self._outboxes.append(database)
        _be_lazy(database)
        return Outbox(database, sink)

    def view(self) -> JournalView:
        """The journal for other threads to read; close it before the journal. Not for one in memory."""
        reader = JournalReader(Path(self.path))
        self._readers.append(reader)
        return JournalView(reader, self.correct)

    def decisions(self, which: Filter = ALL, limit: int = 100, *, newest_first: bool = False) -> list[Entry]:
        """At most `limit` decisions, oldest first unless told otherwise. Any thread."""
        return decisions(self._database, which, limit, newest_first=newest_first)

    def find(self, id_or_seq: str) -> Entry | None:
        """The decision with this id or seq; of "last" the newest. Any thread."""
        return find(self._database, id_or_seq)

    def counts(self) -> Mapping[str, int]:
        """Decisions for each bin since the last reset, by name. Any thread; never waits for the disk."""
        with self._counts_lock:
            return dict(sorted(self._counts.items()))

    def reset_counts(self) -> None:
        """Start counting from nought; decisions and seq stay. Any thread."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM bins")
        with self._counts_lock:
            self._counts = {}

    def close(self) -> None:
        """Close the file and its outboxes; stop the publishers first. One that was found damaged is put aside."""
        for database in (*self._outboxes, self._database):
            database.close()
        try:
            is_damaged = any(database.is_damaged for database in (*self._outboxes, self._database))
            if is_damaged and self._is_surely_own():
                self._put_aside()
        finally:
            self._release()

    def _is_surely_own(self) -> bool:
        """Whether it is a journal, however damaged: beside another file no lock lies from an earlier run."""
        return self._claim is not None and not self._claim.is_new

    def _put_aside(self) -> None:
        _log.error(
            "%s is damaged: it lies at %s from now on, and the bin begins a new one with what could be read of it",
            self.path,
            put_aside(Path(self.path)),
        )

    def _make_room(self, connection: sqlite3.Connection, num_coming: int) -> None:
        """Let the oldest decisions go, so that with `num_coming` more the journal stays within both bounds."""
        (oldest_seq,) = connection.execute("SELECT min(seq) FROM decisions").fetchone()
        if oldest_seq is None:
            return
        num_kept = self.next_seq - oldest_seq
        num_pruned = num_kept + num_coming - self._keep
        if _pages(connection) > _FULL_SHARE * self._max_pages:
            num_pruned = max(num_pruned, _MIN_PRUNED, int(_PRUNED_SHARE * num_kept))
        # One always stays: its seq is where the next start goes on.
        num_pruned = min(num_pruned, _MAX_PRUNED, num_kept + num_coming - 1)
        if num_pruned > 0:
            connection.execute("DELETE FROM decisions WHERE seq < ?", (oldest_seq + num_pruned,))
        if (num_excess := _file_pages(connection) - self._max_pages) > 0:
            for _ in range(min(num_excess, _MAX_GIVEN_BACK)):  # of more than one at a time sqlite3 gives back one
                connection.execute("PRAGMA incremental_vacuum(1)")
            connection.execute(f"PRAGMA max_page_count={self._max_pages}")

    def _restore_deleted(self) -> None:
        """Write the file again from what is still open, when somebody deleted it.

        Raises:
            StorageError: another file stands in its place.
        """
        if self.path == IN_MEMORY or (found := _inode(self.path)) == self._inode:
            return
        if found is not None:
            raise StorageError(
                f"{self.path}: expected the journal that this bin has open, found another file in its place;"
                " restart the bin to go on with that one"
            )
        _log.warning("%s was deleted while the bin ran; it is written again", self.path)
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._release()
        self._claim = claim(path)
        copy = path.with_name(path.name + ".restored")
        copy.unlink(missing_ok=True)
        with self._database.reading() as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
        for suffix in ("-wal", "-shm"):  # of the deleted file: SQLite would mix them into the new one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        copy.replace(path)
        self._database.reopen()
        with self._database.reading() as connection:
            self._max_pages = prepare(connection, self.path, self._max_bytes)
        for outbox in self._outboxes:
            outbox.reopen()
            _be_lazy(outbox)
        for reader in self._readers:
            reader.reopen()
        self._inode = _inode(self.path)

    def _release(self, *, is_refused: bool = False) -> None:
        if self._claim is not None:
            self._claim.close(is_refused=is_refused)
            self._claim = None


def _be_lazy(database: Database) -> None:
    """Let a lost acknowledgement be lost: it only sends a decision twice. Checkpoints are left to the writer."""
    with database.reading() as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")


def _inode(path: str) -> int | None:
    """Which file stands at `path`; None when there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - called for each decision
    except OSError:
        return None


def _pages(connection: sqlite3.Connection) -> int:
    """How many hold something."""
    (num_free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return _file_pages(connection) - int(num_free)


def _file_pages(connection: sqlite3.Connection) -> int:
    (num_pages,) = connection.execute("PRAGMA page_count").fetchone()
    return int(num_pages)
