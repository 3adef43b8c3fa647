"""What happened, for years: every decision in SQLite before anything moves, and what sinks still lack.

One process owns a journal. Its loop thread appends; actuation reports may come from any thread; each
`Outbox` reads and acknowledges on a connection of its own, so a slow sink never holds up the loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edge.clock import Clock, rfc3339
from edge.database import Database, claim
from edge.errors import InvalidDataError, MissingInputError, UsageError
from edge.messages import Actuation
from edge.records import DecisionRecord, with_actuation

IN_MEMORY = ":memory:"

JOURNAL_VERSION = 2
_APPLICATION_ID = 0x534F5254  # "SORT" in the file's header, so that no other program's database is taken for ours

# Of the allowed size; beyond it the oldest decisions make room.
_FULL_SHARE = 0.9
_PRUNED_SHARE = 0.01

_TABLES = """
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    ts TEXT NOT NULL,
    outcome TEXT NOT NULL,
    label TEXT,
    bin TEXT,
    confidence REAL NOT NULL,
    record TEXT NOT NULL,
    trace TEXT
) STRICT;
CREATE TABLE actuations (
    seq INTEGER PRIMARY KEY REFERENCES decisions ON DELETE CASCADE,
    commanded INTEGER NOT NULL,
    confirmed INTEGER,
    started TEXT,
    finished TEXT
) STRICT;
CREATE TABLE outbox (sink TEXT PRIMARY KEY, acknowledged INTEGER NOT NULL) STRICT;
CREATE TABLE bins (bin TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
"""
# New in version 2. `label` is NULL where a person only said that the decision was wrong.
_CORRECTIONS = "TABLE corrections (seq INTEGER PRIMARY KEY REFERENCES decisions ON DELETE CASCADE, label TEXT) STRICT;"

_SELECT = """
SELECT seq, id, ts, outcome, decisions.label, bin, confidence, record, trace, commanded, confirmed, started, finished,
    corrections.label AS corrected, corrections.seq IS NOT NULL AND corrections.label IS NOT decisions.label AS is_wrong
FROM decisions LEFT JOIN actuations USING (seq) LEFT JOIN corrections USING (seq)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal; `record` is the decision's JSON with what the actuator did.

    `started` and `finished` are None where nothing was to move, or the power went before it was told.
    `trace` is what the loop left for `explain`, None where it left nothing. `corrected` is the label that a
    person gave it; `is_wrong` says that this was not the decision's own, or that it was only called wrong.
    """

    seq: int
    id: str
    ts: str
    outcome: str
    label: str | None
    bin: str | None
    confidence: float
    record: str
    trace: str | None
    started: str | None
    finished: str | None
    corrected: str | None
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """Which decisions to list; None admits all. `since` is RFC 3339 UTC, inclusive."""

    after_seq: int = 0
    since: str | None = None
    outcome: str | None = None
    label: str | None = None
    bin: str | None = None
    is_wrong: bool | None = None

    def where(self) -> tuple[str, dict[str, str | int]]:
        """The SQL condition and its named parameters."""
        terms = ["seq > :after_seq"]
        parameters: dict[str, str | int] = {"after_seq": self.after_seq}
        if self.since is not None:
            terms.append("ts >= :since")
            parameters["since"] = self.since
        for column, wanted in (("outcome", self.outcome), ("label", self.label), ("bin", self.bin)):
            if wanted is not None:
                terms.append(f"decisions.{column} = :{column}")
                parameters[column] = wanted
        if self.is_wrong is not None:
            terms.append("is_wrong = :is_wrong")
            parameters["is_wrong"] = int(self.is_wrong)
        return " AND ".join(terms), parameters


_ALL = Filter()


class Outbox:
    """What one sink still lacks, oldest first; for one thread, usually a publisher's.

    The position moves on only when the sink has acknowledged, so each decision arrives at least once.
    """

    def __init__(self, database: Database, sink: str) -> None:
        self._database = database
        self.sink = sink

    def acknowledged(self) -> int:
        """The seq up to which the sink has everything."""
        with self._database.reading() as connection:
            (seq,) = connection.execute("SELECT acknowledged FROM outbox WHERE sink = ?", (self.sink,)).fetchone()
        return int(seq)

    def pending(self, limit: int) -> list[Entry]:
        """At most `limit` decisions that the sink has not acknowledged, in order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                _SELECT + "WHERE seq > (SELECT acknowledged FROM outbox WHERE sink = ?) ORDER BY seq LIMIT ?",  # noqa: S608 - constants only
                (self.sink, limit),
            ).fetchall()
        return [_entry(row) for row in rows]

    def backlog(self) -> int:
        """How many decisions wait."""
        with self._database.reading() as connection:
            (num_waiting,) = connection.execute(
                "SELECT count(*) FROM decisions WHERE seq > (SELECT acknowledged FROM outbox WHERE sink = ?)",
                (self.sink,),
            ).fetchone()
        return int(num_waiting)

    def acknowledge(self, seq: int) -> None:
        """The sink has everything up to `seq`."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE outbox SET acknowledged = max(acknowledged, ?) WHERE sink = ?", (seq, self.sink))


class JournalReader:
    """Reads a journal, also while a bin is writing it."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise MissingInputError(f"{path}: expected a journal, found no file; name one with --journal")
        self._database = Database(str(path), is_read_only=True)
        with self._database.reading() as connection:
            version = _check_is_journal(connection, self._database.path)
            if version < JOURNAL_VERSION:  # the file stays as it is until its bin opens it
                connection.execute(f"CREATE TEMPORARY {_CORRECTIONS}")

    def decisions(self, which: Filter = _ALL, limit: int = 100, *, newest_first: bool = False) -> list[Entry]:
        """At most `limit` decisions, oldest first unless told otherwise."""
        return _decisions(self._database, which, limit, newest_first=newest_first)

    def find(self, record_id: str) -> Entry | None:
        """The decision with this id or seq."""
        return _find(self._database, record_id)

    def counts(self) -> Mapping[str, int]:
        """Accepted items for each bin since the last reset."""
        return _counts(self._database)

    def close(self) -> None:
        self._database.close()


class Journal:
    """The journal of one bin, opened for writing; creates the file and its folder.

    `path` may be IN_MEMORY. At most `keep` decisions stay and the file stays below `max_bytes`: the
    oldest decisions go first. Each write is on disk when it returns (WAL, synchronous=FULL: one fsync).

    Raises:
        TryAgainError: another process has it open.
        InvalidDataError: the file is no journal, is damaged or was written by a newer version.
        StorageError, AccessDeniedError: it cannot be created, read or written.
    """

    def __init__(
        self, path: str | Path, clock: Clock, *, keep: int = 100_000, max_bytes: int = 512 * 1024 * 1024
    ) -> None:
        self.path = str(path)
        self._clock = clock
        self._keep = keep
        self._outboxes: list[Database] = []
        self._claim = None if self.path == IN_MEMORY else claim(Path(path))
        try:
            self._database = Database(self.path)
            with self._database.reading() as connection:
                self._max_pages = _prepare(connection, self.path, max_bytes)
                self._last_seq: int = connection.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()[0]
        except BaseException:
            self._release()
            raise

    @property
    def next_seq(self) -> int:
        """The number that the next decision gets."""
        return self._last_seq + 1

    def append(self, record: DecisionRecord, trace: str | None = None) -> None:
        """Write a decision, its intended movement and its bin's count in one commit. Loop thread only.

        Nothing may move before this has returned.
        """
        if record.seq != self.next_seq:
            raise UsageError(f"{self.path}: expected seq {self.next_seq}, found {record.seq}; seq has no gaps")
        decision = record.decision
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.seq, record.id, record.ts, decision.outcome.value, decision.label, decision.bin,
                    decision.confidence, record.to_json(), trace,
                ),
            )  # fmt: skip
            if record.commanded:
                connection.execute("INSERT INTO actuations (seq, commanded) VALUES (?, 1)", (record.seq,))
            if decision.bin is not None:
                connection.execute(
                    "INSERT INTO bins VALUES (?, 1) ON CONFLICT (bin) DO UPDATE SET count = count + 1", (decision.bin,)
                )
            self._make_room(connection, record.seq)
        self._last_seq = record.seq

    def actuated(self, seq: int, actuation: Actuation) -> None:
        """Write what the actuator did for decision `seq`. Any thread; blocks for one commit."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO actuations (seq, commanded, confirmed, started, finished)"
                " SELECT seq, ?, ?, ?, ? FROM decisions WHERE seq = ?",
                (
                    actuation.commanded, actuation.is_confirmed,
                    rfc3339(self._clock.wall(actuation.started_at_s)),
                    rfc3339(self._clock.wall(actuation.finished_at_s)), seq,
                ),
            )  # fmt: skip

    def correct(self, id_or_seq: str, label: str | None) -> Entry:
        """Write what a person says of a decision: its right label, or None: it was wrong. Any thread; one commit.

        A label equal to the decision's own confirms it. The last word counts.

        Raises:
            MissingInputError: the journal does not hold this decision, or not any more.
        """
        found = self.find(id_or_seq)
        if found is None:
            raise MissingInputError(f"{self.path}: no decision {id_or_seq}; it may have made room for newer ones")
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO corrections VALUES (?, ?)", (found.seq, label))
        return replace(found, corrected=label, is_wrong=label is None or label != found.label)

    def outbox(self, sink: str) -> Outbox:
        """The outbox of `sink`; a sink never seen before begins with the next decision."""
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO outbox VALUES (?, ?)", (sink, self._last_seq))
        if self.path == IN_MEMORY:
            return Outbox(self._database, sink)  # a second connection would see another, empty database
        database = Database(self.path)
        self._outboxes.append(database)
        with database.reading() as connection:
            # A lost acknowledgement only sends a decision twice, so it need not wait for the disk, and
            # checkpoints are left to the writer.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
        return Outbox(database, sink)

    def decisions(self, which: Filter = _ALL, limit: int = 100, *, newest_first: bool = False) -> list[Entry]:
        """At most `limit` decisions, oldest first unless told otherwise. Any thread."""
        return _decisions(self._database, which, limit, newest_first=newest_first)

    def find(self, record_id: str) -> Entry | None:
        """The decision with this id or seq. Any thread."""
        return _find(self._database, record_id)

    def counts(self) -> Mapping[str, int]:
        """Decisions for each bin since the last reset. Any thread."""
        return _counts(self._database)

    def reset_counts(self) -> None:
        """Start counting from nought; decisions and seq stay. Any thread."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM bins")

    def close(self) -> None:
        """Close the file and its outboxes; stop the publishers first."""
        for database in (*self._outboxes, self._database):
            database.close()
        self._release()

    def _make_room(self, connection: sqlite3.Connection, newest_seq: int) -> None:
        connection.execute("DELETE FROM decisions WHERE seq <= ?", (newest_seq - self._keep,))
        if _pages(connection) > _FULL_SHARE * self._max_pages:
            (oldest_seq,) = connection.execute("SELECT min(seq) FROM decisions").fetchone()
            num_pruned = max(1, int(_PRUNED_SHARE * (newest_seq - oldest_seq)))
            connection.execute("DELETE FROM decisions WHERE seq < ?", (min(newest_seq, oldest_seq + num_pruned),))

    def _release(self) -> None:
        if self._claim is not None:
            self._claim.close()
            self._claim = None


def _decisions(database: Database, which: Filter, limit: int, *, newest_first: bool) -> list[Entry]:
    condition, parameters = which.where()
    order = "DESC" if newest_first else "ASC"
    with database.reading() as connection:
        rows = connection.execute(
            f"{_SELECT} WHERE {condition} ORDER BY seq {order} LIMIT :limit", {**parameters, "limit": limit}
        ).fetchall()
    return [_entry(row) for row in rows]


def _find(database: Database, id_or_seq: str) -> Entry | None:
    with database.reading() as connection:
        row = connection.execute(
            f"{_SELECT} WHERE id = ? OR seq = ?", (id_or_seq, int(id_or_seq) if id_or_seq.isdecimal() else -1)
        ).fetchone()
    return None if row is None else _entry(row)


def _counts(database: Database) -> Mapping[str, int]:
    with database.reading() as connection:
        return dict(connection.execute("SELECT bin, count FROM bins ORDER BY bin").fetchall())


def _entry(row: sqlite3.Row) -> Entry:
    record = row["record"]
    if row["commanded"] is not None:
        confirmed = None if row["confirmed"] is None else bool(row["confirmed"])
        record = with_actuation(record, commanded=bool(row["commanded"]), confirmed=confirmed)
    told = {
        key: row[key]
        for key in (
            "seq",
            "id",
            "ts",
            "outcome",
            "label",
            "bin",
            "confidence",
            "trace",
            "started",
            "finished",
            "corrected",
        )
    }
    return Entry(record=record, is_wrong=bool(row["is_wrong"]), **told)


def _prepare(connection: sqlite3.Connection, path: str, max_bytes: int) -> int:
    """Make or check the tables and set how safely they are written; gives the allowed number of pages."""
    (num_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = _check_is_journal(connection, path) if num_tables else JOURNAL_VERSION
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    if not num_tables:
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} CREATE {_CORRECTIONS} PRAGMA application_id={_APPLICATION_ID};"
            f" PRAGMA user_version={JOURNAL_VERSION}; COMMIT;"
        )
    if version < JOURNAL_VERSION:
        connection.executescript(
            f"BEGIN IMMEDIATE; CREATE {_CORRECTIONS} PRAGMA user_version={JOURNAL_VERSION}; COMMIT;"
        )
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (max_pages,) = connection.execute(f"PRAGMA max_page_count={max_bytes // page_bytes}").fetchone()
    return int(max_pages)


def _check_is_journal(connection: sqlite3.Connection, path: str) -> int:
    """The file's version."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != _APPLICATION_ID:
        raise InvalidDataError(
            f"{path}: expected a sorter journal, found another program's database; name another file"
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > JOURNAL_VERSION:
        raise InvalidDataError(
            f"{path}: expected journal version {JOURNAL_VERSION} or older, found {version}; update sorter"
        )
    return int(version)


def _pages(connection: sqlite3.Connection) -> int:
    (num_pages,) = connection.execute("PRAGMA page_count").fetchone()
    (num_free,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(num_pages) - int(num_free)
