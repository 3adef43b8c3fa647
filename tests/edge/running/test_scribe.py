"""What the bin must write may end it; what somebody asks of it meanwhile may not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE
from edge.clock import ReplayClock
from edge.errors import SorterError, StorageError
from edge.journal import Journal
from edge.messages import Actuation
from edge.models.store import ModelStore
from edge.publishers.commands import Inbox
from edge.running.controls import Controls
from edge.running.problems import Problems
from edge.running.scribe import Scribe
from tests.edge.models.locked import locked
from tests.edge.records import a_record


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite", ReplayClock())) as journal:
        yield journal


def obeyed(journal: Journal, topic: str, payload: bytes, on_install: Callable[[], None] = lambda: None) -> None:
    """A message from outside is taken, and all that follows from it is done."""
    with closing(Scribe(journal, Problems())) as scribe:
        inbox = Inbox(("paper/cardboard", "glass"))
        controls = Controls(inbox, journal, scribe.try_later, 0.5, lambda _: None, on_install)
        inbox.receive(topic, payload)
        controls.attend()


def test_a_correction_that_the_journal_refuses_is_a_warning(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.append(a_record(1))
    obeyed(journal, "cmd/mark_wrong", b"paper/cardboard")
    assert "'paper/cardboard' cannot be the name of a class" in caplog.text
    assert not journal.decisions()[0].is_wrong


def test_a_correction_of_nothing_is_a_warning(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    obeyed(journal, "cmd/mark_wrong", b"glass")
    assert "no decision last" in caplog.text


def test_an_install_while_another_one_writes_is_a_warning(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ModelStore(tmp_path / "models")
    store.install(DEFAULT_BUNDLE)
    with locked(store):
        obeyed(journal, "cmd/install", b"PRESS", lambda: store.activate(store.names()[0]))
    assert "another command is changing the models" in caplog.text


def test_a_disk_that_refuses_what_is_asked_for_is_a_warning(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Scribe(journal, Problems())) as scribe:
        scribe.try_later((Path(journal.path).parent / "gone" / "file").read_bytes)
    assert "No such file" in caplog.text


def test_a_bug_in_what_is_asked_for_ends_the_bin(journal: Journal) -> None:
    scribe = Scribe(journal, Problems())
    scribe.try_later(lambda: {}["nothing"])
    with pytest.raises(KeyError):
        scribe.close()


def test_an_outcome_that_cannot_be_written_ends_the_bin(journal: Journal) -> None:
    journal.append(a_record(1))
    with closing(sqlite3.connect(journal.path)) as other:
        other.execute("DROP TABLE actuations")
    scribe = Scribe(journal, Problems())
    scribe.write_outcome(
        1, Actuation("paper", commanded=True, is_confirmed=None, started_at_s=0, finished_at_s=1), None
    )
    with pytest.raises(SorterError):
        scribe.close()


def test_a_decision_that_cannot_be_written_ends_the_bin(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path)) as other:
        other.execute("DROP TABLE decisions")
    with closing(Scribe(journal, Problems())) as scribe, pytest.raises(StorageError):
        scribe.write(a_record(1))
