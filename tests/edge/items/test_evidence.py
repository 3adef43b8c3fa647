"""Evidence gathers frame by frame, and knows what further frames could still change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.items.evidence import Method, evidence_maker
from edge.messages import Evidence


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def filled(method: Method, *frames: np.ndarray) -> Evidence:
    evidence = evidence_maker(method, ema_weight=0.5)(frames[0])
    for frame in frames[1:]:
        evidence = evidence.add(frame)
    return evidence


def agreeing(evidence: Evidence) -> int:
    return int(evidence.wins[evidence.scores.argmax()])


def test_mean_log_prob_is_the_normalized_geometric_mean() -> None:
    evidence = filled(Method.MEAN_LOG_PROB, scores(0.9, 0.1), scores(0.4, 0.6))
    assert evidence.scores == pytest.approx([0.7101, 0.2899], abs=1e-4)  # sqrt(.36) : sqrt(.06)
    assert agreeing(evidence) == 1


def test_one_frame_that_is_sure_of_a_mistake_does_not_outvote_five_others() -> None:
    assert filled(Method.MEAN_LOG_PROB, scores(0.0, 1.0), *[scores(0.9, 0.1)] * 5).scores[0] > 0.5


def test_ema_fades_old_frames() -> None:
    evidence = filled(Method.EMA, scores(1, 0), scores(0, 1), scores(0, 1))
    assert evidence.scores == pytest.approx([0.25, 0.75])
    assert agreeing(evidence) == 2


def test_vote_counts_winners_however_sure_they_are() -> None:
    evidence = filled(Method.VOTE, scores(0.51, 0.49), scores(0.51, 0.49), scores(0.01, 0.99))
    assert evidence.scores == pytest.approx([2 / 3, 1 / 3])
    assert agreeing(evidence) == 2


def test_consecutive_starts_again_when_another_class_wins() -> None:
    evidence = filled(Method.CONSECUTIVE, scores(0.9, 0.1), scores(0.2, 0.8), scores(0.4, 0.6))
    assert evidence.scores == pytest.approx([0.3, 0.7])
    assert agreeing(evidence) == 2


FRAMES = st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), min_size=1, max_size=12)


def normalized(frames: list[list[float]]) -> list[np.ndarray]:
    return [scores(*frame) / np.float32(sum(frame)) for frame in frames]


@pytest.mark.parametrize("method", Method)
@given(frames=FRAMES)
def test_smoothed_scores_stay_a_distribution(method: Method, frames: list[list[float]]) -> None:
    evidence = filled(method, *normalized(frames))
    assert evidence.scores.dtype == np.float32
    assert evidence.scores.sum() == pytest.approx(1, abs=1e-4)  # float32 sums of up to 12 frames
    assert 0 <= agreeing(evidence) <= len(frames)


@pytest.mark.parametrize("method", Method)
@given(before=FRAMES, after=FRAMES)
def test_no_further_frames_go_beyond_what_is_said_to_be_within_reach(
    method: Method, before: list[list[float]], after: list[list[float]]
) -> None:
    evidence = filled(method, *normalized(before))
    reach = evidence.reach(len(after))
    for frame in normalized(after):
        evidence = evidence.add(frame)
        winner = int(evidence.scores.argmax())
        runner_up, best = np.sort(evidence.scores)[-2:]
        assert np.all(evidence.scores <= reach.confidence + 1e-5)  # rounding of float32 sums
        assert best - runner_up <= reach.margin[winner] + 1e-5
        assert agreeing(evidence) <= reach.agreeing[winner]


@pytest.mark.parametrize("method", [Method.MEAN_LOG_PROB, Method.EMA, Method.VOTE])
@given(before=FRAMES, label=st.integers(0, 3), num_more=st.integers(0, 8))
def test_frames_that_are_all_sure_reach_the_bound(
    method: Method, before: list[list[float]], label: int, num_more: int
) -> None:
    evidence = filled(method, *normalized(before))
    reach = evidence.reach(num_more)
    for _ in range(num_more):
        evidence = evidence.add(np.eye(4, dtype=np.float32)[label])
    assert evidence.scores[label] == pytest.approx(reach.confidence[label], abs=1e-5)
    others = np.delete(evidence.scores, label)
    assert evidence.scores[label] - others.max() == pytest.approx(reach.margin[label], abs=1e-5)
