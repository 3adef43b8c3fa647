from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import route
from edge.items.resting import RestTracker
from edge.items.smoothing import SmoothingSettings
from edge.items.trace import Tracer
from edge.messages import Box, Frame, Phase, Prediction, Presence, Sight
from tests.edge.records import a_decision

LABELS = ("glass", "metal", "paper", "trash")
BLANK = np.zeros((4, 4, 3), np.uint8)


def a_tracer() -> Tracer:
    return Tracer(LABELS, lambda label: {"kind": "thresholds", "label": label}, lambda: {"classify": {"p50": 8.3}})


def a_sight(at_s: float, phase: Phase, item_id: int | None = None, scores: tuple[float, ...] | None = None) -> Sight:
    prediction = None if scores is None else Prediction(np.array(scores, np.float32), invoke_s=0.008)
    presence = Presence(phase, Box(0, 0, 4, 4), sharpness=12.345)
    return Sight(Frame(0, at_s, BLANK), presence, item_id, Box(0, 0, 4, 4), prediction)


def traced(tracer: Tracer, item_id: int, at_s: float = 12.43) -> Mapping[str, Any]:
    return json.loads(tracer.trace(a_decision(item_id, at_s=at_s)))  # type: ignore[no-any-return]


def test_a_trace_tells_each_frame_used_or_left_out_and_why_in_order() -> None:
    tracer = a_tracer()
    tracer(a_sight(5.0, Phase.MOVING))  # of an earlier item
    tracer(a_sight(11.5, Phase.EMPTY))
    tracer(a_sight(11.6, Phase.MOVING))
    tracer(a_sight(12.0, Phase.SETTLED, 1, (0.1, 0.6, 0.2, 0.1)))
    tracer(a_sight(12.1, Phase.SETTLED))
    tracer(a_sight(12.2, Phase.SETTLED, 1, (0.05, 0.9, 0.03, 0.02)))

    told = traced(tracer, 1)

    assert [frame["t_s"] for frame in told["frames"]] == [11.6, 12.0, 12.1, 12.2]
    assert [frame.get("rejected") for frame in told["frames"]] == ["it moved", None, "less sharp than others", None]
    assert told["frames"][1]["scores"] == {"metal": 0.6, "paper": 0.2, "glass": 0.1}
    assert told["frames"][1]["invoke_ms"] == 8.0
    assert told["rule"] == {"kind": "thresholds", "label": "metal"}
    assert told["timings_ms"] == {"classify": 8.3}


def told_of(presences: Sequence[tuple[Presence, NDArray[np.float32]]]) -> list[str | None]:
    """Frames of things with these looks, followed, decided and traced; what is told of each frame of the last item."""
    tracer, tracker = a_tracer(), RestTracker(SmoothingSettings())
    policy = DecisionPolicy(DecisionSettings(), LABELS, route({}, LABELS, None))
    traces: list[str] = []
    for index, (presence, look) in enumerate(presences):
        target = tracker.follow(presence, index / 10)
        answer = None if target is None else Prediction(np.array([0.9, 0.1, 0, 0], np.float32), look)
        if target is not None and answer is not None:
            tracker.add(target, answer)
        item_id = None if target is None else target.item_id
        tracer(Sight(Frame(index, index / 10, BLANK), presence, item_id, None, answer))
        for item in tracker.waiting():
            if (decision := policy.decide(item, index / 10)) is not None:
                traces.append(tracer.trace(decision))
                tracker.close(item.item_id)
    return [frame.get("rejected") for frame in json.loads(traces[-1])["frames"]]


def test_an_arm_that_rests_on_the_next_item_is_not_told_as_blur() -> None:
    can, cup = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    lies, moves = Presence(Phase.SETTLED, sharpness=9.0, still_s=0.5), Presence(Phase.MOVING, sharpness=9.0)
    under_arm = replace(lies, has_arm=True)
    told = told_of([(lies, can)] * 5 + [(moves, cup)] * 2 + [(under_arm, cup)] * 5 + [(lies, cup)] * 5)
    assert told == ["it moved"] * 2 + ["an arm or the flap was there"] * 5 + [None] * 3


def test_a_blurred_frame_is_told_as_one() -> None:
    can = np.array([1, 0], np.float32)
    sharp, blurred = (Presence(Phase.SETTLED, sharpness=sharpness, still_s=0.5) for sharpness in (9.0, 1.0))
    told = told_of([(sharp, can), (blurred, can), (sharp, can), (sharp, can)])
    assert told == [None, "less sharp than others", None, None]


def test_of_an_item_that_lies_long_the_frames_that_were_used_are_kept() -> None:
    tracer = a_tracer()
    for index in range(3):
        tracer(a_sight(11.5 + index / 100, Phase.SETTLED, 1, (0.7, 0.1, 0.1, 0.1)))
    for index in range(200):
        tracer(a_sight(11.6 + index / 1000, Phase.SETTLED))
    frames = traced(tracer, 1)["frames"]
    assert len(frames) == 64
    assert [frame["t_s"] for frame in frames if "scores" in frame] == [11.5, 11.51, 11.52]
    assert frames[-1]["t_s"] == 11.799


def test_two_items_on_their_way_keep_their_own_frames() -> None:
    tracer = a_tracer()
    for item_id in (1, 2, 1):
        tracer(a_sight(12.0, Phase.MOVING, item_id, (0.7, 0.1, 0.1, 0.1)))
    assert len(traced(tracer, 1)["frames"]) == 2
    assert len(traced(tracer, 2)["frames"]) == 1
    assert traced(tracer, 1)["frames"] == [], "it was told once"


def test_a_trace_stays_small_however_long_an_item_lies() -> None:
    tracer = a_tracer()
    for index in range(10_000):
        tracer(a_sight(11.5 + index / 20_000, Phase.SETTLED, 1, (0.7, 0.1, 0.1, 0.1)))
        tracer(a_sight(11.5 + index / 20_000, Phase.MOVING))
    assert len(tracer.trace(a_decision(1))) < 8192


def test_several_at_once_are_no_evidence() -> None:
    tracer = a_tracer()
    tracer(a_sight(12.0, Phase.MANY, 1, (0.1, 0.6, 0.2, 0.1)))
    (frame,) = traced(tracer, 1)["frames"]
    assert frame["rejected"] == "several things"


def test_candidates_without_a_decision_do_not_pile_up() -> None:
    tracer = a_tracer()
    for item_id in range(1000):
        tracer(a_sight(12.0, Phase.MOVING, item_id, (0.7, 0.1, 0.1, 0.1)))
    assert traced(tracer, 0)["frames"] == []
    assert len(traced(tracer, 999)["frames"]) == 1


def test_items_that_never_came_to_a_decision_are_forgotten() -> None:
    tracer = a_tracer()
    for item_id in range(1000):
        tracer(a_sight(12.0, Phase.SETTLED, item_id, (0.7, 0.1, 0.1, 0.1)))
        tracer.trace(a_decision(item_id + 500))
    assert len(tracer._used) < 100
