"""What stands in the place of the journal: deleted, foreign, newer, damaged, held by another, not writable."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from multiprocessing.connection import Connection
from pathlib import Path

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
from tests.edge.records import a_record, fill


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


def test_a_damaged_journal_is_an_error_of_its_data(path: Path) -> None:
    journal = Journal(path, ReplayClock())
    fill(journal, 200)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))

    with pytest.raises(InvalidDataError, match="damaged, or the disk does not give it back; start again"):
        Journal(path, ReplayClock())


def test_places_that_cannot_be_written_are_errors_of_storage() -> None:
    # Also for root: the kernel lets nobody make files there.
    with pytest.raises((StorageError, AccessDeniedError), match="expected a folder"):
        Journal("/proc/sorter/journal.sqlite", ReplayClock())
    with pytest.raises(StorageError, match="/dev/null"):
        Journal("/dev/null/journal.sqlite", ReplayClock())


def test_a_folder_in_the_place_of_the_file_is_a_mistake_in_the_configuration(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(ConfigError, match="found a folder"):
        Journal(path, ReplayClock())
    assert list(path.parent.iterdir()) == [path]
