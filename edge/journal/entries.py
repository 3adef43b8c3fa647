"""A decision as it stands in the journal, and how decisions are found."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edge.files.database import Database
from edge.records import with_actuation

SELECT = """
SELECT seq, id, ts, outcome, decisions.label, bin, confidence, record, trace, commanded, confirmed, started, finished,
    problem, corrections.label AS corrected,
    corrections.seq IS NOT NULL AND corrections.label IS NOT decisions.label AS is_wrong
FROM decisions LEFT JOIN actuations USING (seq) LEFT JOIN corrections USING (seq)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal; `record` is the decision's JSON with what the actuator did.

    `started` and `finished` are None where nothing was to move, or the power went before it was told;
    `problem` is what went wrong with the movement. `trace` is what the loop left for `explain`, None where it
    left nothing. `corrected` is the label that a person gave it; `is_wrong` says that this was not the
    decision's own, or that it was only called wrong.
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
    problem: str | None
    corrected: str | None
    is_wrong: bool

    @property
    def margin(self) -> float:
        """By how much the label led before the next one, 0..1."""
        return float(json.loads(self.record)["margin"])


@dataclass(frozen=True, slots=True)
class Filter:
    """Which decisions to list; None admits all.

    `since` is RFC 3339 UTC, inclusive; `is_labelled`: a person gave it a label, its own or another.
    """

    after_seq: int = 0
    since: str | None = None
    outcome: str | None = None
    label: str | None = None
    bin: str | None = None
    is_wrong: bool | None = None
    is_labelled: bool | None = None

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
        if self.is_labelled is not None:
            terms.append(f"corrected IS {'NOT ' if self.is_labelled else ''}NULL")
        if self.is_wrong or self.is_labelled:
            # Of what nobody spoke of there are a hundred thousand: SQLite would look at each.
            terms.append("decisions.seq IN (SELECT seq FROM corrections)")
        return " AND ".join(terms), parameters


ALL = Filter()
# So many entries are held at once; each may have some kB.
PART = 500
LAST = "last"


def decisions(database: Database, which: Filter, limit: int, *, newest_first: bool) -> list[Entry]:
    """At most `limit` decisions, oldest first unless told otherwise."""
    condition, parameters = which.where()
    order = "DESC" if newest_first else "ASC"
    with database.reading() as connection:
        rows = connection.execute(
            f"{SELECT} WHERE {condition} ORDER BY seq {order} LIMIT :limit", {**parameters, "limit": limit}
        ).fetchall()
    return [entry(row) for row in rows]


def newest(database: Database, which: Filter, limit: int) -> Iterator[Entry]:
    """The newest decisions, at most `limit`, oldest first; read in parts, since all of them may not fit into memory."""
    condition, parameters = which.where()
    with database.reading() as connection:
        first = connection.execute(
            f"SELECT seq FROM ({SELECT} WHERE {condition}) ORDER BY seq DESC LIMIT 1 OFFSET :num_after",  # noqa: S608 - constants only
            {**parameters, "num_after": limit - 1},
        ).fetchone()
    after_seq = which.after_seq if first is None else int(first["seq"]) - 1
    while part := decisions(database, replace(which, after_seq=after_seq), min(limit, PART), newest_first=False):
        yield from part
        limit -= len(part)
        after_seq = part[-1].seq


def find(database: Database, id_or_seq: str) -> Entry | None:
    """The decision with this id or seq; of "last" the newest."""
    if id_or_seq == LAST:
        return next(iter(decisions(database, ALL, 1, newest_first=True)), None)
    # SQLite's integers end at 2**63.
    seq = int(id_or_seq) if id_or_seq.isascii() and id_or_seq.isdecimal() and len(id_or_seq) < 19 else -1
    with database.reading() as connection:
        row = connection.execute(f"{SELECT} WHERE id = ? OR seq = ?", (id_or_seq, seq)).fetchone()
    return None if row is None else entry(row)


def counts(database: Database) -> Mapping[str, int]:
    """Decisions for each bin since the last reset, by name."""
    with database.reading() as connection:
        return dict(connection.execute("SELECT bin, count FROM bins ORDER BY bin").fetchall())


def count_since(database: Database, ts: str) -> int:
    """How many decisions are kept from `ts` (RFC 3339 UTC) on."""
    with database.reading() as connection:
        (num_decisions,) = connection.execute("SELECT count(*) FROM decisions WHERE ts >= ?", (ts,)).fetchone()
    return int(num_decisions)


def remembered(database: Database, key: str) -> str | None:
    """A setting that was kept; None when there is none."""
    with database.reading() as connection:
        row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def entry(row: sqlite3.Row) -> Entry:
    """The entry in a row of SELECT."""
    told = dict(zip(row.keys(), row, strict=True))
    commanded, confirmed = told.pop("commanded"), told.pop("confirmed")
    if commanded is not None:
        is_confirmed = None if confirmed is None else bool(confirmed)
        told["record"] = with_actuation(told["record"], commanded=bool(commanded), confirmed=is_confirmed)
    return Entry(**{**told, "is_wrong": bool(told["is_wrong"])})
