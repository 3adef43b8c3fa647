from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import ReplayClock
from edge.errors import (
    InvalidDataError,
    MissingInputError,
    StorageError,
)
from edge.journal import IN_MEMORY, Filter, Journal, JournalReader
from edge.journal.entries import PART
from edge.journal.writer import _MAX_GIVEN_BACK, _file_pages
from edge.messages import Actuation
from tests.edge.records import a_record, fill


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JournalReader]:
    """A journal of more than two parts."""
    path = tmp_path_factory.mktemp("full") / "journal.sqlite"
    with closing(Journal(path, ReplayClock())) as journal, journal._database.reading() as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for seq in range(1, 2 * PART + 10):
            journal.append(a_record(seq, bin_name="paper" if seq % 3 else None))
        journal.correct("7", "glass")
        with closing(JournalReader(path)) as reader:
            yield reader


def test_a_decision_reads_back_as_it_was_written(journal: Journal) -> None:
    record = a_record(1)

    journal.append(record, trace='{"frames":[]}')

    (entry,) = journal.decisions()
    assert (entry.seq, entry.id, entry.bin, entry.record) == (1, record.id, "recycling", record.to_json())
    assert entry.trace == '{"frames":[]}'
    assert journal.find(record.id) == journal.find("1") == entry
    assert journal.find("nobody") is None


def test_seq_goes_on_without_a_gap_after_closing(path: Path) -> None:
    for _ in range(3):
        journal = Journal(path, ReplayClock())
        fill(journal, 2)
        journal.close()

    reader = JournalReader(path)
    assert [entry.seq for entry in reader.decisions()] == [1, 2, 3, 4, 5, 6]
    reader.close()


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_a_seq_that_is_not_the_next_is_refused(journal: Journal, seq: int) -> None:
    journal.append(a_record(1))

    with pytest.raises(InvalidDataError, match="expected seq 2"):
        journal.append(a_record(seq))
    assert journal.next_seq == 2


def test_an_id_that_is_taken_is_refused_and_leaves_nothing_behind(journal: Journal) -> None:
    journal.append(a_record(1, commanded=True))
    twin = a_record(2, commanded=True)
    journal.append(twin)

    with pytest.raises(InvalidDataError, match="id"):
        journal.append(type(twin)(3, twin.id, twin.ts, twin.decision, twin.model, twin.site, commanded=True))

    assert journal.next_seq == 3
    assert journal.counts() == {"recycling": 2}


def test_what_the_actuator_did_shows_in_the_record(journal: Journal) -> None:
    journal.append(a_record(1, commanded=True))
    assert json.loads(journal.decisions()[0].record)["commanded"] is True

    journal.actuated(
        1, Actuation("recycling", commanded=True, is_confirmed=False, started_at_s=12.5, finished_at_s=13.0)
    )

    (entry,) = journal.decisions()
    told = json.loads(entry.record)
    assert (told["commanded"], told["confirmed"]) == (True, False)
    assert entry.started is not None
    assert entry.finished is not None
    assert entry.started < entry.finished


def test_a_movement_never_reported_has_no_times(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    journal.append(a_record(1, commanded=True))
    journal.close()

    reader = JournalReader(path)
    (entry,) = reader.decisions()
    assert (entry.started, entry.finished) == (None, None)
    reader.close()


def test_filters_and_limits_choose_decisions(journal: Journal) -> None:
    for seq in range(1, 7):
        journal.append(a_record(seq, bin_name="paper" if seq % 2 else None))

    assert [entry.seq for entry in journal.decisions(Filter(bin="paper"))] == [1, 3, 5]
    assert [entry.seq for entry in journal.decisions(Filter(outcome="unknown", after_seq=2))] == [4, 6]
    assert [entry.seq for entry in journal.decisions(Filter(label="metal"), limit=2, newest_first=True)] == [6, 5]
    assert journal.decisions(Filter(since="2999-01-01T00:00:00.000Z")) == []
    assert journal.decisions(Filter(label="'; DROP TABLE decisions; --")) == []


@pytest.mark.parametrize("limit", [1, PART - 1, PART, PART + 1, 10_000_000])
def test_the_newest_are_read_in_parts_oldest_first(full: JournalReader, limit: int) -> None:
    for which in (Filter(), Filter(bin="paper"), Filter(is_wrong=True), Filter(after_seq=5), Filter(label="gold")):
        wanted = full.decisions(which, limit, newest_first=True)[::-1]
        assert list(full.newest(which, limit)) == wanted


def test_a_journal_of_the_first_version_grows_when_its_bin_opens_it(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    fill(journal, 1)
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE corrections; DROP TABLE settings; ALTER TABLE actuations DROP COLUMN problem;"
            " PRAGMA user_version=1;"
        )
    connection.close()

    with pytest.raises(InvalidDataError, match="brings it up to date"):
        JournalReader(path)
    journal = Journal(path, ReplayClock())
    assert journal.correct("1", "glass").is_wrong
    journal.close()


def test_the_newest_decision_has_a_name(journal: Journal) -> None:
    assert journal.find("last") is None
    fill(journal, 3)
    newest = journal.find("last")
    assert newest is not None
    assert newest.seq == 3
    assert journal.find("9" * 30) is None


def test_what_was_set_while_the_bin_ran_is_remembered(path: Path) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        assert journal.remembered("enabled") is None
        journal.remember("enabled", "no")
        journal.remember("enabled", "yes")
    with closing(Journal(path, ReplayClock())) as journal:
        assert journal.remembered("enabled") == "yes"


def test_what_is_remembered_again_is_not_written_again(journal: Journal, path: Path) -> None:
    """A bin without its camera is started every few seconds, and says the same each time."""
    journal.remember("told_bins", "[]")
    log = path.with_name("journal.sqlite-wal")
    num_bytes = log.stat().st_size
    journal.remember("told_bins", "[]")
    assert log.stat().st_size == num_bytes
    journal.remember("told_bins", '["glass"]')
    assert log.stat().st_size > num_bytes


def test_what_went_wrong_with_a_movement_is_kept(journal: Journal) -> None:
    fill(journal, 1, commanded=True)
    journal.actuated(
        1, Actuation("recycling", commanded=True, is_confirmed=False, started_at_s=1, finished_at_s=2), "jam"
    )
    (entry,) = journal.decisions()
    assert entry.problem == "jam"


def test_counts_grow_for_each_bin_by_name_survive_closing_and_start_again_on_reset(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    for seq, bin_name in enumerate(["paper", "metal", "paper", None], start=1):
        journal.append(a_record(seq, bin_name=bin_name))
    assert list(journal.counts().items()) == [("metal", 1), ("paper", 2)]
    journal.close()

    journal = Journal(path, ReplayClock())
    assert list(journal.counts().items()) == [("metal", 1), ("paper", 2)]
    journal.reset_counts()
    assert journal.counts() == {}
    assert journal.next_seq == 5
    journal.close()


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_an_outbox_gives_everything_in_order_until_it_is_acknowledged(where: str, path: Path) -> None:
    journal = Journal(IN_MEMORY if where == "memory" else path, ReplayClock())
    outbox = journal.outbox("mqtt")
    fill(journal, 5)

    assert [entry.seq for entry in outbox.pending(3)] == [1, 2, 3]
    assert [entry.seq for entry in outbox.pending(3)] == [1, 2, 3]
    outbox.acknowledge(4)
    outbox.acknowledge(2)
    assert [entry.seq for entry in outbox.pending(3)] == [5]
    assert len(outbox.pending(10)) == 1
    journal.close()


def test_each_sink_has_its_own_position_and_a_new_one_begins_now(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    journal.outbox("mqtt")
    fill(journal, 2)
    journal.outbox("webhook")
    fill(journal, 1)
    journal.close()

    journal = Journal(path, ReplayClock())
    assert [entry.seq for entry in journal.outbox("mqtt").pending(9)] == [1, 2, 3]
    assert [entry.seq for entry in journal.outbox("webhook").pending(9)] == [3]
    journal.close()


@given(acknowledged=st.lists(st.integers(1, 30), max_size=10), num_decisions=st.integers(0, 20))
def test_no_decision_is_ever_skipped_by_acknowledging(acknowledged: list[int], num_decisions: int) -> None:
    journal = Journal(IN_MEMORY, ReplayClock())
    outbox = journal.outbox("mqtt")
    fill(journal, num_decisions)

    for seq in acknowledged:
        outbox.acknowledge(seq)

    expected = list(range(max(acknowledged, default=0) + 1, num_decisions + 1))
    assert [entry.seq for entry in outbox.pending(100)] == expected
    journal.close()


def test_only_the_newest_decisions_are_kept_and_seq_goes_on(path: Path) -> None:
    journal = Journal(path, ReplayClock(), keep=10)
    fill(journal, 25, commanded=True)

    assert [entry.seq for entry in journal.decisions()] == list(range(16, 26))
    assert journal.counts() == {"recycling": 25}
    journal.close()


def test_the_file_stays_below_its_size_limit_for_ever(path: Path) -> None:
    limit_bytes = 256 * 1024
    journal = Journal(path, ReplayClock(), max_bytes=limit_bytes)
    for seq in range(1, 801):
        journal.append(a_record(seq), trace="x" * 1000)

    kept = journal.decisions(limit=1000)
    journal.close()

    assert kept[-1].seq == 800
    assert [entry.seq for entry in kept] == list(range(kept[0].seq, 801))
    assert path.stat().st_size <= limit_bytes


def test_a_bound_that_was_lowered_is_reached_step_by_step_and_nothing_is_refused(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    for seq in range(1, 201):
        journal.append(a_record(seq), trace="x" * 4000)
    journal.close()
    large_bytes = path.stat().st_size
    lower_bytes = large_bytes // 4

    journal = Journal(path, ReplayClock(), max_bytes=lower_bytes)
    sizes = []
    for seq in range(201, 241):
        journal.append(a_record(seq), trace="x" * 4000)
        with journal._database.reading() as connection:
            sizes.append(1024 * _file_pages(connection))

    assert sizes[-1] <= lower_bytes, "what was freed goes back to the disk"
    assert max(before - after for before, after in pairwise([large_bytes, *sizes])) <= 1024 * 2 * _MAX_GIVEN_BACK
    assert journal.decisions(limit=1, newest_first=True)[0].seq == 240
    journal.close()
    assert path.stat().st_size <= lower_bytes


def test_no_commit_takes_more_than_a_thousand_old_decisions_away(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    with journal._database.transaction() as connection:
        connection.executemany(
            "INSERT INTO decisions VALUES (?, ?, '', '', NULL, NULL, 0, '{}', NULL)", ((n, n) for n in range(1, 3001))
        )
    journal.close()

    kept = []
    for _ in range(4):
        journal = Journal(path, ReplayClock(), keep=500)
        kept.append(journal.decisions(limit=1)[0].seq)
        journal.close()

    assert kept == [1001, 2001, 2501, 2501]


@pytest.mark.parametrize("bound", [{"keep": 1}, {"max_bytes": 64 * 1024}])
def test_seq_goes_on_whatever_made_room_at_the_start(path: Path, bound: dict[str, int]) -> None:
    for expected_seq in (1, 2, 3):
        Journal(path, ReplayClock(), **bound).close()
        journal = Journal(path, ReplayClock(), **bound)
        assert journal.next_seq == expected_seq
        journal.append(a_record(expected_seq))
        journal.close()


def test_a_decision_that_finds_no_room_is_an_error_and_leaves_the_journal_whole(path: Path) -> None:
    journal = Journal(path, ReplayClock(), max_bytes=128 * 1024)
    journal.append(a_record(1))

    with pytest.raises(StorageError, match="no room left"):
        journal.append(a_record(2), trace="x" * 1024 * 1024)

    assert journal.next_seq == 2
    journal.append(a_record(2))
    assert [entry.seq for entry in journal.decisions()] == [1, 2]
    journal.close()


def test_an_empty_file_is_a_journal_that_has_not_begun(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(MissingInputError, match="found an empty file; its bin begins one"):
        JournalReader(path)
    journal = Journal(path, ReplayClock())
    JournalReader(path).close()
    journal.close()


def test_reading_a_journal_that_is_not_there_makes_none(path: Path) -> None:
    with pytest.raises(MissingInputError, match="found no file"):
        JournalReader(path)
    assert not path.exists()


def test_each_commit_is_synced_to_disk_and_a_reader_sees_it_at_once(journal: Journal, path: Path) -> None:
    with journal._database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    reader = JournalReader(path)
    for seq in range(1, 4):
        journal.append(a_record(seq))
        assert len(reader.decisions()) == seq
    reader.close()
