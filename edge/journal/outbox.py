"""What one sink still lacks of the journal."""

from __future__ import annotations

from edge.files.database import Database
from edge.journal.entries import SELECT, Entry, entry


class Outbox:
    """What one sink still lacks, oldest first; for one thread, usually a publisher's.

    The position moves on only when the sink has acknowledged, so each decision arrives at least once.
    """

    def __init__(self, database: Database, sink: str) -> None:
        self._database = database
        self.sink = sink

    def pending(self, limit: int) -> list[Entry]:
        """At most `limit` decisions that the sink has not acknowledged, in order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                SELECT + "WHERE seq > (SELECT acknowledged FROM outbox WHERE sink = ?) ORDER BY seq LIMIT ?",  # noqa: S608 - constants only
                (self.sink, limit),
            ).fetchall()
        return [entry(row) for row in rows]

    def acknowledge(self, seq: int) -> None:
        """The sink has everything up to `seq`."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE outbox SET acknowledged = max(acknowledged, ?) WHERE sink = ?", (seq, self.sink))
