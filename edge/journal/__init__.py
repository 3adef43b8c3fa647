"""What happened, for years: every decision in SQLite before anything moves, and what sinks still lack.

One process owns a journal. Its loop appends; actuation reports may come from any thread; each `Outbox` reads
and acknowledges on a connection of its own, so a slow sink never holds up the loop. Any process may read,
and may correct what was decided.
"""

from edge.journal.entries import Entry, Filter
from edge.journal.outbox import Outbox
from edge.journal.reader import JournalReader, JournalView, correct
from edge.journal.tables import IN_MEMORY, JOURNAL_VERSION
from edge.journal.writer import Journal

__all__ = [
    "IN_MEMORY",
    "JOURNAL_VERSION",
    "Entry",
    "Filter",
    "Journal",
    "JournalReader",
    "JournalView",
    "Outbox",
    "correct",
]
