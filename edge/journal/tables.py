"""The journal's tables, how older files are brought up to date, and how safely all is written."""

from __future__ import annotations

import sqlite3

from edge.errors import InvalidDataError

IN_MEMORY = ":memory:"

JOURNAL_VERSION = 2
# Every commit writes whole pages, and changes little in each: with SQLite's own 4096 a decision wrote twice as much.
_PAGE_BYTES = 1024
_APPLICATION_ID = 0x534F5254  # "SORT" in the file's header, so that no other program's database is taken for ours

_VERSION_1 = """
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
# `corrections.label` is NULL where a person only said that the decision was wrong; `settings` holds what was
# changed while the bin ran and must outlive a restart.
_VERSION_2 = """
CREATE TABLE corrections (seq INTEGER PRIMARY KEY REFERENCES decisions ON DELETE CASCADE, label TEXT) STRICT;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
ALTER TABLE actuations ADD COLUMN problem TEXT;
"""


def prepare(connection: sqlite3.Connection, path: str, max_bytes: int) -> int:
    """Make or check the tables and set how safely they are written; gives the allowed number of pages.

    Raises:
        InvalidDataError: the file is another program's, or was written by a newer version.
    """
    (num_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = check_is_journal(connection, path) if num_tables else 0
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")  # this and the next are heeded where the file is new
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    be_safe(connection)
    steps = (_VERSION_1, _VERSION_2)[version:]
    if steps:
        connection.executescript(
            f"BEGIN IMMEDIATE; {' '.join(steps)} PRAGMA application_id={_APPLICATION_ID};"
            f" PRAGMA user_version={JOURNAL_VERSION}; COMMIT;"
        )
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    # SQLite allows no less than the file has.
    max_pages = int(max_bytes // page_bytes)
    connection.execute(f"PRAGMA max_page_count={max_pages}")
    return max_pages


def be_safe(connection: sqlite3.Connection) -> None:
    """Let each commit be on disk when it returns, and let what belongs to a decision go with it."""
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def check_is_journal(connection: sqlite3.Connection, path: str) -> int:
    """The file's version.

    Raises:
        InvalidDataError: it is another program's, or newer than this one.
    """
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
