"""What stands in the place of the journal: deleted, foreign, newer, damaged, held by another, not writable."""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import signal
import sqlite3
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge.clock import ReplayClock
from edge.errors import (
    AccessDeniedError,
    ConfigError,
    InvalidDataError,
    StorageError,
    TryAgainError,
)
from edge.journal import JOURNAL_VERSION, Journal, JournalReader
from edge.journal.damage import put_aside
from edge.messages import Actuation
from tests.edge.records import a_record, fill
from tests.edge.test_config import without_roots_rights

AN_ACTUATION = Actuation("recycling", commanded=True, is_confirmed=None, started_at_s=0.0, finished_at_s=1.0)


def test_a_journal_that_is_deleted_while_it_is_open_is_written_again_with_all_it_held(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    outbox, view = journal.outbox("mqtt"), journal.view()
    fill(journal, 3)
    outbox.acknowledge(2)
    shutil.rmtree(path.parent)

    fill(journal, 2)

    assert [entry.seq for entry in outbox.pending(9)] == [3, 4, 5]
    assert [entry.seq for entry in view.decisions()] == [1, 2, 3, 4, 5]
    assert view.correct("5", "glass").is_wrong
    view.close()
    journal.close()
    again = Journal(path, ReplayClock())
    assert [entry.seq for entry in again.decisions()] == [1, 2, 3, 4, 5]
    assert again.next_seq == 6
    again.close()


@pytest.mark.parametrize("deleted", [("",), ("", "-wal"), ("", "-shm")])
def test_what_a_deletion_left_over_does_not_harm_the_new_file(path: Path, deleted: tuple[str, ...]) -> None:
    journal = Journal(path, ReplayClock())
    fill(journal, 3)
    for suffix in deleted:
        path.with_name(path.name + suffix).unlink()

    fill(journal, 1)

    journal.close()
    reader = JournalReader(path)
    assert [entry.seq for entry in reader.decisions()] == [1, 2, 3, 4]
    reader.close()


def test_another_file_in_the_place_of_the_open_journal_is_left_alone(journal: Journal, path: Path) -> None:
    fill(journal, 1)
    other = path.with_name("other")
    other.write_text("precious")
    other.replace(path)

    with pytest.raises(StorageError, match="found another file in its place"):
        fill(journal, 1)
    assert path.read_text() == "precious"


def test_a_refused_journal_leaves_no_lock_behind(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("this is no database, but text that is long enough to be looked at" * 20)

    with pytest.raises(InvalidDataError):
        Journal(path, ReplayClock())

    assert [file.name for file in path.parent.iterdir()] == [path.name]


def _hold_open(path: Path, ready: Connection) -> None:
    journal = Journal(path, ReplayClock())
    journal.append(a_record(1))
    ready.send("open")
    ready.recv()
    journal.close()


def test_a_journal_that_another_process_writes_can_be_read_but_not_opened(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    owner = context.Process(target=_hold_open, args=(path, there))
    owner.start()
    assert here.recv() == "open"

    with pytest.raises(TryAgainError, match="another sorter"):
        Journal(path, ReplayClock())
    reader = JournalReader(path)
    assert [entry.seq for entry in reader.decisions()] == [1]
    reader.close()

    here.send("close")
    owner.join()
    journal = Journal(path, ReplayClock())
    assert journal.next_seq == 2
    journal.close()


def test_a_refused_open_frees_the_lock(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a journal" * 100)
    with pytest.raises(InvalidDataError):
        Journal(path, ReplayClock())
    path.unlink()

    Journal(path, ReplayClock()).close()


def test_a_file_that_is_no_database_is_named_as_such_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a shopping list\n" * 100)

    with pytest.raises(InvalidDataError, match=r"journal\.sqlite: expected a journal"):
        Journal(path, ReplayClock())
    assert path.read_bytes() == b"a shopping list\n" * 100


def test_another_programs_database_is_not_taken_for_a_journal(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()

    with pytest.raises(InvalidDataError, match="another program's database"):
        Journal(path, ReplayClock())
    with pytest.raises(InvalidDataError, match="another program's database"):
        JournalReader(path)


def test_a_newer_version_is_refused(path: Path) -> None:
    Journal(path, ReplayClock()).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={JOURNAL_VERSION + 1}")
    connection.close()

    with pytest.raises(InvalidDataError, match=rf"version {JOURNAL_VERSION} or older, found {JOURNAL_VERSION + 1}"):
        Journal(path, ReplayClock())


def damage(path: Path, table: str = "decisions") -> None:
    """Overwrite the page at which `table` begins, as a card does that has forgotten it."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)


def test_a_journal_that_is_found_damaged_at_the_start_is_put_aside_and_nothing_of_it_is_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        journal.outbox("mqtt").acknowledge(0)
        fill(journal, 20)
        journal.correct("19", "glass")
        journal.remember("enabled", "off")
    damage(path, "corrections")
    damage(path, "sqlite_autoindex_decisions_1")
    damaged = path.read_bytes()

    with closing(Journal(path, ReplayClock(), keep=15)) as journal:
        assert journal.remembered("enabled") == "off", (
            "who reaches into a bin that is switched off must not be surprised"
        )
        assert journal.counts() == {"recycling": 20}
        assert [entry.seq for entry in journal.outbox("mqtt").pending(99)] == list(range(6, 21))
        fill(journal, 1)
        assert journal.next_seq == 22
        assert "journal.damaged-1.sqlite: see whether the card is worn out" in (journal.complaint or "")
    aside = path.with_name("journal.damaged-1.sqlite").read_bytes()
    assert aside[1024:] == damaged[1024:], "all but SQLite's own header"
    assert "the bin begins a new one" in caplog.text
    assert {file.name for file in path.parent.iterdir()} == {
        "journal.sqlite", "journal.sqlite.lock", "journal.damaged-1.sqlite",
    }  # fmt: skip


def test_seq_goes_on_from_what_a_sink_has_where_no_decision_can_be_read(path: Path) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        outbox = journal.outbox("mqtt")
        fill(journal, 20)
        outbox.acknowledge(18)
    damage(path, "decisions")

    with closing(Journal(path, ReplayClock())) as journal:
        fill(journal, 1)
        assert [entry.seq for entry in journal.outbox("mqtt").pending(9)] == [19]


def test_damage_that_an_open_journal_meets_is_put_aside_when_it_is_closed(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    fill(journal, 20)
    journal.close()
    damage(path, "actuations")

    journal = Journal(path, ReplayClock())
    with pytest.raises(InvalidDataError, match="start the bin again, which puts it aside"):
        journal.actuated(20, AN_ACTUATION)
    journal.close()

    with closing(Journal(path, ReplayClock())) as journal:
        journal.actuated(20, AN_ACTUATION)
        assert journal.next_seq == 21
    assert path.with_name("journal.damaged-1.sqlite").is_file()


def test_a_card_that_damages_one_after_the_other_is_not_filled_with_them(path: Path) -> None:
    for _ in range(3):
        Journal(path, ReplayClock()).close()
        damage(path, "decisions")
    with closing(Journal(path, ReplayClock())) as journal:
        fill(journal, 1)
    damage(path, "decisions")

    with pytest.raises(InvalidDataError, match="3 damaged ones lie beside it: replace the card"):
        Journal(path, ReplayClock())
    assert path.is_file()


def test_a_journal_at_its_bound_is_put_aside_like_any_other(path: Path) -> None:
    mib = 1024 * 1024
    with closing(Journal(path, ReplayClock(), max_bytes=mib)) as journal:
        for _ in range(400):
            journal.append(a_record(journal.next_seq), trace="x" * 3000)
    damage(path, "corrections")
    damage(path, "sqlite_autoindex_decisions_1")

    with closing(Journal(path, ReplayClock(), max_bytes=mib)) as journal:
        assert journal.next_seq == 401
        for _ in range(40):
            journal.append(a_record(journal.next_seq), trace="x" * 3000)
        assert len(journal.decisions(limit=999)) > 100
    assert path.with_name("journal.damaged-1.sqlite").is_file()
    assert path.stat().st_size <= mib


def test_a_full_disk_is_named_where_a_damaged_journal_is_to_be_put_aside(path: Path) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        fill(journal, 300)
    damage(path, "corrections")
    damage(path, "sqlite_autoindex_decisions_1")

    full = multiprocessing.get_context("spawn").Process(target=_open_on_a_full_disk, args=(path,))
    full.start()
    full.join()

    assert full.exitcode == 0
    with closing(Journal(path, ReplayClock())) as journal:
        assert journal.next_seq == 301


def _open_on_a_full_disk(path: Path) -> None:
    """As on one: no file grows beyond what the new journal needs, which is an error of input and output to SQLite."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
    with pytest.raises(StorageError, match=r"journal\.sqlite\.new: cannot be .* is the disk full"):
        Journal(path, ReplayClock())


def test_what_cannot_be_read_for_another_reason_than_damage_is_not_left_behind() -> None:
    with TemporaryDirectory() as folder:  # another user may look into it, and pytest's are shut
        path = Path(folder, "journal.sqlite")
        with closing(Journal(path, ReplayClock())) as journal:
            fill(journal, 20)
        path.parent.chmod(0o777)
        path.chmod(0)

        with without_roots_rights(), pytest.raises(StorageError, match=r"begun: \S*journal\.sqlite: this user may not"):
            put_aside(path)
        assert path.is_file()
        assert not path.with_name("journal.damaged-1.sqlite").exists()


def test_text_that_is_none_is_damage(path: Path) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        fill(journal, 20)
        journal.remember("enabled", "off")
    content = path.read_bytes()
    assert content.count(b"enabledoff") == 1
    path.write_bytes(content.replace(b"enabledoff", b"enabled\xff\xff\xff"))

    with closing(Journal(path, ReplayClock())) as journal, pytest.raises(InvalidDataError, match="is damaged"):
        journal.remembered("enabled")
    with closing(Journal(path, ReplayClock())) as journal:
        assert journal.remembered("enabled") is None
        assert journal.next_seq == 21


def test_a_power_cut_between_the_damaged_journal_and_the_new_one_loses_neither(path: Path) -> None:
    with closing(Journal(path, ReplayClock())) as journal:
        outbox = journal.outbox("mqtt")
        fill(journal, 20)
        outbox.acknowledge(18)
        wal = path.with_name("journal.sqlite-wal").read_bytes()
    path.rename(path.with_name("journal.sqlite.new"))
    path.with_name("journal.sqlite-wal").write_bytes(wal)

    with closing(Journal(path, ReplayClock())) as journal:
        assert journal.next_seq == 21
        assert [entry.seq for entry in journal.outbox("mqtt").pending(9)] == [19, 20]
    assert {file.name for file in path.parent.iterdir()} == {"journal.sqlite", "journal.sqlite.lock"}


def test_places_that_cannot_be_written_are_errors_of_storage() -> None:
    # Also for root: the kernel lets nobody make files there.
    with pytest.raises((StorageError, AccessDeniedError), match="expected a folder"):
        Journal("/proc/sorter/journal.sqlite", ReplayClock())
    with pytest.raises(StorageError, match="/dev/null"):
        Journal("/dev/null/journal.sqlite", ReplayClock())


def test_a_file_that_this_user_may_not_open_is_no_matter_of_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(path, ReplayClock()).close()
    path.parent.chmod(0o777)
    path.with_name("journal.sqlite.lock").chmod(0o666)
    path.chmod(0)
    monkeypatch.chdir(path.parent)  # whatever the folders above it allow
    for way in (JournalReader, lambda name: Journal(name, ReplayClock())):
        with without_roots_rights(), pytest.raises(AccessDeniedError, match="this user may not open it"):
            way(Path(path.name))


def test_a_folder_in_the_place_of_the_file_is_a_mistake_in_the_configuration(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(ConfigError, match="found a folder"):
        Journal(path, ReplayClock())
    assert list(path.parent.iterdir()) == [path]
