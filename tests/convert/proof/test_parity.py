from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from convert.proof.held_out import HeldOut
from convert.proof.parity import Limits, Parity, Share, compare

LABELS = ("can", "cup")


def sure(*answers: int, strength: float = 6.0) -> NDArray[np.float32]:
    return np.eye(2, dtype=np.float32)[list(answers)] * strength


def parity(truth: list[int], before: NDArray[np.float32], after: NDArray[np.float32]) -> Parity:
    paths = tuple(f"{number}.jpg" for number in range(len(truth)))
    held_out = HeldOut(paths, np.array(truth), {"before": before, "after": after})
    return compare(held_out, "before", "after", LABELS, temperature=1.0)


def test_the_same_logits_change_nothing() -> None:
    found = parity([0, 1, 1], sure(0, 1, 0), sure(0, 1, 0))

    assert found.agreement.value == found.outcome_agreement.value == 1
    assert found.score_distance == 0
    assert found.changes == ()
    assert found.broken_limits(Limits(0, 1)) == ()


def test_a_changed_picture_is_named_with_both_answers() -> None:
    found = parity([0, 1, 1], sure(0, 1, 0), sure(0, 0, 0))

    (change,) = found.changes
    assert (change.path, change.label, change.reference, change.candidate) == ("1.jpg", "cup", "cup", "can")
    assert found.candidate_accuracy.count == 1
    assert found.classes[1].agreement.count == 1
    assert (found.classes[1].reference_recall.count, found.classes[1].candidate_recall.count) == (1, 0)


def test_answers_that_have_nothing_in_common_are_a_distance_of_one() -> None:
    found = parity([0, 1], sure(0, 1, strength=50), sure(1, 0, strength=50))

    assert found.score_distance == 1


def test_an_answer_that_falls_below_the_thresholds_is_another_outcome() -> None:
    found = parity([0, 0], sure(0, 0), np.array([[6.0, 0.0], [0.1, 0.0]], np.float32))

    assert found.agreement.value == 1
    assert found.outcome_agreement.value == found.classes[0].outcome_agreement.value == 0.5
    (change,) = found.changes
    assert (change.path, change.reference_outcome, change.candidate_outcome) == ("1.jpg", "can", "unknown")
    assert not change.is_other_answer


def test_both_limits_are_judged() -> None:
    truth = [0] * 100
    two_lost = parity(truth, sure(*truth), sure(*[0] * 98, 1, 1))
    swapped = parity(truth, sure(1, *[0] * 99), sure(*[0] * 99, 1))

    assert two_lost.broken_limits(Limits(0.005, 0.9)) == ("accuracy fell by 2.00% (limit 0.50%)",)
    assert two_lost.broken_limits(Limits(0.02, 0.98)) == ()
    assert parity(truth, sure(*truth), sure(*[0] * 90, *[1] * 10)).broken_limits(Limits(0.1, 0.9)) == ()
    (only,) = swapped.broken_limits(Limits(0.005, 0.985))  # two wrongs that cancel out in accuracy
    assert only.startswith("the models agree on 98.00% (98/100")


@pytest.mark.parametrize("num_pictures", [12, 66, 67, 100, 133])
def test_of_few_pictures_one_may_change_and_no_second(num_pictures: int) -> None:
    """More pictures allow no less: of 66 one could be lost, and of 67 none."""
    few = [0] * num_pictures
    once, twice = (parity(few, sure(*few), sure(*few[num:], *[1] * num)) for num in (1, 2))

    assert once.broken_limits(Limits()) == ()
    assert len(twice.broken_limits(Limits())) == 2
    assert len(once.broken_limits(Limits(0, 1))) == 2  # where somebody asks for all of them


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_intervals_are_those_of_the_literature(count: int, total: int, low: float, high: float) -> None:
    """81 of 263: Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I."""
    share = Share.of(count, total)

    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)
