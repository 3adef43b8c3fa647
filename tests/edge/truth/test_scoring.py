import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import InvalidDataError, MissingInputError
from edge.messages import Decision, Outcome
from edge.truth.scoring import Score, Truth, TruthEvent, check_fits, load_truth, score, strange_labels

CAN = TruthEvent(label="metal", enters=2.0, settled=2.5, leaves=4.5, gone=5.0)
JAR = TruthEvent(label="glass", enters=7.0, settled=7.5, leaves=9.5, gone=10.0)
CLIP = Truth(events=(CAN, JAR))


def decided(at_s: float, label: str | None = "metal", outcome: Outcome = Outcome.ACCEPTED) -> Decision:
    return Decision(
        item_id=1,
        outcome=outcome,
        label=label,
        bin=None,
        confidence=0.9,
        margin=0.8,
        reason="test",
        first_seen_s=at_s - 0.6,
        settled_s=at_s - 0.2,
        decided_s=at_s,
        frames_used=3,
        frames_rejected=0,
    )


def is_flawless(found: Score) -> bool:
    """Whether no item was missed, invented or decided twice."""
    return (found.num_missed, found.num_invented, found.num_doubled) == (0, 0, 0)


def test_one_right_decision_for_each_event_is_flawless() -> None:
    result = score([decided(2.9), decided(8.1, "glass")], CLIP)
    assert (result.num_found, result.num_right, result.accepted_right) == (2, 2, 1.0)
    assert is_flawless(result)
    assert result.settled_to_decided_p50_s == pytest.approx(0.5)
    assert result.settled_to_decided_p95_s == pytest.approx(0.59)
    assert result.to_json()["num_right"] == 2


def test_what_was_loaded_before_the_clip_began_is_no_delay_of_its_decisions() -> None:
    result = score([decided(102.9), decided(108.1, "paper")], CLIP, began_s=100.0)
    assert (result.num_right, result.num_wrong) == (1, 1)
    assert result.settled_to_decided_p50_s == pytest.approx(0.5)
    assert [mistake.at_s for mistake in result.mistakes] == [108.1], "as the decision's own line says"


def test_a_wrong_label_is_found_but_wrong() -> None:
    result = score([decided(2.9, "paper"), decided(8.0, "glass")], CLIP)
    assert (result.num_found, result.num_wrong, result.num_right) == (2, 1, 1)
    assert result.accepted_right == 0.5


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.LEFT_EARLY, Outcome.TIMEOUT])
def test_an_answer_that_commits_to_nothing_is_unknown(outcome: Outcome) -> None:
    result = score([decided(2.9, "metal", outcome)], CLIP)
    assert (result.num_unknown, result.num_right, result.num_wrong, result.num_missed) == (1, 0, 0, 1)
    assert result.accepted_right is None


def test_a_decision_where_nothing_was_is_invented() -> None:
    result = score([decided(2.9), decided(6.5), decided(8.0, "glass")], CLIP)
    assert (result.num_invented, result.num_doubled) == (1, 0)
    assert not is_flawless(result)


def test_each_mistake_says_when_and_what_was_taken_for_what() -> None:
    mistakes = score([decided(2.9, "paper"), decided(6.5)], CLIP).mistakes
    assert [(one.at_s, one.truth, one.answer) for one in mistakes] == [
        (2.9, "metal", "paper"),
        (6.5, None, "metal"),
        (CLIP.events[1].settled, "glass", None),
    ]
    assert score([decided(2.9), decided(8.0, None, Outcome.UNKNOWN)], CLIP).mistakes == ()
    (several,) = score([decided(3.0, None, Outcome.MULTIPLE), decided(8.1, "glass")], CLIP).mistakes
    assert several.answer == "multiple"


def test_a_second_decision_for_one_item_is_a_double_and_the_first_counts() -> None:
    result = score([decided(3.5, "paper"), decided(2.9), decided(8.0, "glass")], CLIP)
    assert (result.num_doubled, result.num_right, result.num_wrong) == (1, 2, 0)


def test_an_item_that_left_early_may_be_told_shortly_after_it_is_gone() -> None:
    late = decided(5.4, None, Outcome.LEFT_EARLY)
    assert score([late], CLIP).num_unknown == 1
    assert score([decided(5.9, None, Outcome.LEFT_EARLY)], CLIP).num_invented == 1


def test_what_comes_to_rest_when_the_item_has_gone_is_invented() -> None:
    """The bare place of an item that was not seen was counted as the item, found and right."""
    ghost = replace(decided(5.5), settled_s=5.25)
    result = score([ghost], CLIP)
    assert (result.num_invented, result.num_found) == (1, 0)


def test_on_a_belt_several_may_be_in_view() -> None:
    belt = Truth(
        events=tuple(
            CAN.model_copy(update={"enters": 2.0 + n, "settled": 3.0 + n, "leaves": 4.5 + n, "gone": 5.0 + n})
            for n in range(3)
        )
    )
    passed = [replace(decided(3.1 + n), first_seen_s=2.1 + n, settled_s=None) for n in range(3)]
    assert is_flawless(score(passed, belt))
    assert (score(passed[1:], belt).num_missed, score(passed[1:], belt).num_doubled) == (1, 0)


def test_several_at_once_are_right_when_the_answer_says_so() -> None:
    pair = Truth(events=(CAN.model_copy(update={"num_items": 2}),))
    assert score([decided(3.0, None, Outcome.MULTIPLE)], pair).num_right == 1
    assert score([decided(3.0)], pair).num_wrong == 1
    assert score([decided(3.0, None, Outcome.MULTIPLE)], CLIP).num_wrong == 1


def test_a_clip_without_decisions_misses_everything() -> None:
    result = score([], CLIP)
    assert (result.num_missed, result.settled_to_decided_p95_s) == (2, None)
    json.dumps(result.to_json())


def test_a_truth_file_is_read_and_unknown_keys_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"fps": 12, "events": [{**CAN.model_dump(), "source": "a.jpg"}]}))
    assert load_truth(path).events == (CAN,)


def test_a_truth_file_may_begin_with_the_mark_of_some_editors(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"events": [CAN.model_dump()]}), encoding="utf-8-sig")
    assert load_truth(path).events == (CAN,)


def test_what_no_decision_can_say_is_told_from_what_one_can() -> None:
    truth = Truth(events=(CAN, JAR.model_copy(update={"label": "Jar"}), JAR.model_copy(update={"num_items": 2})))
    assert strange_labels(truth, [CAN.label]) == ("Jar",)
    assert strange_labels(truth, [CAN.label, "Jar"]) == ()


def test_a_truth_file_of_states_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    path.write_text(json.dumps({"states": [{"t": [0, 8], "label": "hand"}]}))
    with pytest.raises(InvalidDataError, match=r"no events.*found: states"):
        load_truth(path)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({"label": "metal", "enters": 1, "settled": 2, "leaves": 3}, "events.0.gone"),
        ({"label": "metal", "enters": 3, "settled": 2, "leaves": 3, "gone": 4}, "enters <= settled"),
        ({"label": "metal", "enters": -1, "settled": 2, "leaves": 3, "gone": 4}, "events.0.enters"),
        ({"label": "metal", "enters": 1, "settled": 2, "leaves": 3, "gone": float("inf")}, "events.0.gone"),
        ({"label": "metal", "enters": 1, "settled": float("nan"), "leaves": 3, "gone": 4}, "events.0.settled"),
        ({"label": "metal", "enters": "1", "settled": 2, "leaves": 3, "gone": 4}, "events.0.enters"),
        ({"label": "metal", "enters": 1, "settled": 2, "leaves": 3, "gone": 4, "num_items": True}, "num_items"),
        ({"label": "", "enters": 1, "settled": 2, "leaves": 3, "gone": 4}, "events.0.label"),
    ],
)
def test_a_broken_event_is_named(tmp_path: Path, event: dict[str, object], says: str) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"events": [event]}))
    with pytest.raises(InvalidDataError, match=says):
        load_truth(path)


def test_a_truth_that_does_not_go_forward_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"events": [JAR.model_dump(), CAN.model_dump()]}))
    with pytest.raises(InvalidDataError, match=r"enters at 2\.0 s stands after one that enters later"):
        load_truth(path)


def test_a_missing_or_garbled_truth_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no truth file"):
        load_truth(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InvalidDataError, match="not JSON"):
        load_truth(tmp_path / "bad.json")


def test_a_truth_of_another_clip_is_refused(tmp_path: Path) -> None:
    check_fits(CLIP, duration_s=9.0)
    with pytest.raises(InvalidDataError, match=r"glass come to rest at 7\.5 s, but the source ends at 3\.00 s"):
        check_fits(CLIP, duration_s=3.0)
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"seconds": 4, "events": [JAR.model_dump()]}))
    with pytest.raises(InvalidDataError, match=r"rest at 7\.5 s, but the clip lasts 4"):
        load_truth(path)
