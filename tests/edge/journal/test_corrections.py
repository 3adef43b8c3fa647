"""What a person says of decisions, kept beside them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.clock import ReplayClock
from edge.errors import (
    MissingInputError,
    UsageError,
)
from edge.journal import Filter, Journal, correct
from edge.journal.entries import SELECT
from tests.edge.records import a_record, fill


def test_a_person_may_correct_confirm_or_call_wrong_and_the_last_word_counts(journal: Journal) -> None:
    fill(journal, 3)
    assert journal.decisions(Filter(is_wrong=True)) == []

    corrected = journal.correct("1", "glass")
    journal.correct("2", None)
    confirmed = journal.correct(journal.decisions()[2].id, "metal")

    assert (corrected.corrected, corrected.is_wrong) == ("glass", True)
    assert (confirmed.corrected, confirmed.is_wrong) == ("metal", False)
    assert [(entry.seq, entry.corrected) for entry in journal.decisions(Filter(is_wrong=True))] == [
        (1, "glass"),
        (2, None),
    ]
    journal.correct("2", "metal")
    assert [entry.seq for entry in journal.decisions(Filter(is_wrong=False, label="metal"))] == [2, 3]
    with pytest.raises(MissingInputError, match="no decision 9"):
        journal.correct("9", "glass")


def test_a_correction_goes_with_its_decision(path: Path) -> None:
    journal = Journal(path, ReplayClock(), keep=1)
    fill(journal, 1)
    journal.correct("1", "glass")
    fill(journal, 1)
    journal.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM corrections").fetchone() == (0,)
    connection.close()


def test_a_person_corrects_while_the_bin_has_it_open(journal: Journal, path: Path) -> None:
    fill(journal, 2)

    assert correct(path, "2", "glass").is_wrong
    assert not correct(path, "1", "metal").is_wrong
    with pytest.raises(MissingInputError, match="no decision 9"):
        correct(path, "9", "glass")

    assert [entry.seq for entry in journal.decisions(Filter(is_wrong=True))] == [2]
    fill(journal, 1)


@pytest.mark.parametrize("label", ["../../evil", "a/b", "two\nlines", "", ".hidden"])
def test_a_correction_names_a_class_and_nothing_else(journal: Journal, label: str) -> None:
    journal.append(a_record(1))
    with pytest.raises(UsageError, match="cannot be the name of a class"):
        journal.correct("1", label)
    assert not journal.decisions()[0].is_wrong


@pytest.mark.parametrize("which", [Filter(is_wrong=True), Filter(is_labelled=True)])
def test_what_a_person_spoke_of_is_found_without_a_look_at_all_the_others(path: Path, which: Filter) -> None:
    condition, parameters = which.where()
    with closing(Journal(path, ReplayClock())) as journal, journal._database.reading() as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {SELECT} WHERE {condition} ORDER BY seq DESC", parameters)
        plan = [step["detail"] for step in steps]
    assert "SEARCH decisions USING INTEGER PRIMARY KEY (rowid=?)" in plan, "one after the other, by their numbers"


def test_the_ids_of_what_a_person_spoke_of_are_found_so_too(journal: Journal) -> None:
    fill(journal, 3)
    found = journal.correct("2", None)
    asked: list[str] = []
    with journal._database.reading() as connection:
        connection.set_trace_callback(asked.append)
        assert journal.corrected_ids() == {found.id}
        connection.set_trace_callback(None)
        plan = [step["detail"] for step in connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert "SEARCH decisions USING INTEGER PRIMARY KEY (rowid=?)" in plan
