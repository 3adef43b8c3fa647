"""What is learned of the empty scene, and what that costs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from edge.presence import PresenceSettings
from edge.presence.learning import Lesson, SceneLearner
from edge.presence.planes import Floats, to_log

CHANCE = np.random.default_rng(3)
SCENE = CHANCE.integers(40, 220, (45, 80, 3)).astype(np.float32)
RATE_HZ = 30.0


def photograph(noise: float) -> Floats:
    """The scene under a lamp that flickers a little, and by rows."""
    light = CHANCE.normal(1, 0.02) * CHANCE.normal(1, 0.02, (45, 1, 1))
    return to_log(np.clip(SCENE * light + CHANCE.normal(0, noise, SCENE.shape), 0, 255).astype(np.uint8))


def lesson_after(pictures: list[Floats], learn_s: float) -> Lesson:
    learner = SceneLearner(PresenceSettings(learn_s=learn_s, learn_timeout_s=60))
    for number, picture in enumerate(pictures):
        lesson = learner.learn(picture, number / RATE_HZ)
        assert (lesson is None) == (number + 1 < len(pictures))
    assert lesson is not None
    return lesson


def test_the_scene_is_the_mean_and_its_noise_is_what_rows_do_not_share() -> None:
    pictures = [photograph(noise=3.0) for _ in range(25)]
    lesson = lesson_after(pictures, learn_s=0.8)
    stack = np.stack(pictures).astype(np.float64)
    deviation = stack - stack.mean(axis=0)
    deviation -= deviation.mean(axis=2, keepdims=True)
    # Sums of float32 over 25 pictures.
    assert lesson.mean == pytest.approx(stack.mean(axis=0), abs=1e-5)
    assert lesson.variance == pytest.approx(np.square(deviation).mean(axis=(0, 3)), abs=1e-6)
    assert np.sqrt(lesson.variance.mean()) == pytest.approx(3.0 / (SCENE.mean() + 10), rel=0.3)


def test_one_picture_is_learned_as_it_is() -> None:
    picture = photograph(noise=3.0)
    lesson = lesson_after([picture], learn_s=0)
    assert np.array_equal(lesson.mean, picture)
    assert not lesson.variance.any()


def test_a_long_look_at_the_scene_takes_no_more_memory_than_a_short_one() -> None:
    learner = SceneLearner(PresenceSettings(learn_s=60, learn_timeout_s=600))
    tracemalloc.start()
    try:
        for number in range(200):
            learner.learn(photograph(noise=3.0), number / RATE_HZ)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8 * SCENE.nbytes
