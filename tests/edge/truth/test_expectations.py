"""Decisions of a replay are held against those of an earlier one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import InvalidDataError, MissingInputError
from edge.messages import Decision, Outcome
from edge.truth.expectations import Expected, differences, load_expected

CAN = Decision(1, Outcome.ACCEPTED, "can", "dry", 0.9, 0.8, "sure", 1.0, 1.2, 2.0, 3, 0)
PAPER = replace(CAN, item_id=2, label="paper", decided_s=5.0)
EXPECTED = [Expected(outcome=one.outcome, label=one.label, bin=one.bin, t_s=one.decided_s) for one in (CAN, PAPER)]


def test_the_same_decisions_within_a_frame_do_not_differ() -> None:
    assert differences(EXPECTED, [CAN, replace(PAPER, decided_s=5.08)], within_s=1 / 12) == []


def test_each_difference_is_one_readable_line() -> None:
    found = [replace(CAN, decided_s=2.2), replace(PAPER, bin="rest"), replace(CAN, decided_s=9.0)]
    assert differences(EXPECTED, found, within_s=0.1) == [
        "decision 1, accepted can -> dry: expected at 2.00 s, found at 2.20 s",
        "decision 2 at 5.00 s: expected accepted paper -> dry, found accepted paper -> rest",
        "decision 3: expected none, found accepted can -> dry at 9.00 s",
    ]
    assert differences(EXPECTED, [CAN], within_s=0.1) == [
        "decision 2: expected accepted paper -> dry at 5.00 s, found none"
    ]


def test_one_that_is_missing_or_too_much_does_not_make_all_after_it_differ() -> None:
    found = [replace(CAN, decided_s=float(at_s)) for at_s in (2, 5, 8, 11, 14)]
    expected = [Expected(outcome=one.outcome, label=one.label, bin=one.bin, t_s=one.decided_s) for one in found]
    told = "accepted can -> dry"
    assert differences(expected[:1] + expected[2:], found, 0.1) == [
        f"decision 2: expected none, found {told} at 5.00 s"
    ]
    assert differences(expected, found[:3] + found[4:], 0.1) == [f"decision 4: expected {told} at 11.00 s, found none"]


def test_on_a_fast_belt_too_the_nearest_in_time_answers() -> None:
    found = [replace(CAN, decided_s=at_s) for at_s in (2.0, 2.4, 2.8, 3.2)]
    expected = [Expected(outcome=one.outcome, label=one.label, bin=one.bin, t_s=one.decided_s) for one in found]
    assert differences(expected, found[1:], 0.1) == ["decision 1: expected accepted can -> dry at 2.00 s, found none"]
    assert differences(expected[1:], found, 0.1) == ["decision 1: expected none, found accepted can -> dry at 2.00 s"]


def test_lines_of_other_events_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text(
        '{"schema":1,"event_type":"accepted","outcome":"accepted","label":"can","bin":null,"t_s":2.0,"more":1}\n\n'
        '{"schema":1,"event_type":"score","num_right":1}\n'
    )
    assert load_expected(path) == (Expected(outcome=Outcome.ACCEPTED, label="can", bin=None, t_s=2.0),)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "\udcff",
        '{"outcome": "guessed", "label": null, "bin": null, "t_s": 1}',
        '{"outcome": "accepted", "label": null, "bin": null, "t_s": NaN}',
    ],
)
def test_what_is_no_decision_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_text("\n" + line, errors="surrogateescape")
    with pytest.raises(InvalidDataError, match=r"decisions\.jsonl:2 is no decision"):
        load_expected(path)


def test_a_file_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no expected decisions"):
        load_expected(tmp_path / "decisions.jsonl")
