"""Streams whose sensor lives, is stuck behind its encoder, or cannot be seen through it."""

from __future__ import annotations

import numpy as np

from edge.cameras.liveliness import Liveliness
from edge.messages import Image

RATE_HZ = 12


class Stream:
    """Pictures of one scene, one after another."""

    def __init__(self, seed: int = 0) -> None:
        self.liveliness = Liveliness()
        self._rng = np.random.default_rng(seed)
        self._scene = self._rng.integers(60, 200, (30, 40, 3)).astype(np.float32)
        self._num_shown = 0
        self._before: Image | None = None

    def show(self, noise: float, for_s: float, key_noise: float = 0.0) -> float | None:
        """Go on for so long; seconds until it was said to be dead, None when it was not."""
        for index in range(round(for_s * RATE_HZ)):
            is_key = index % RATE_HZ == 0
            now = self._picture(max(noise, key_noise) if is_key else noise)
            before, self._before = self._before, now
            self._num_shown += 1
            if before is not None and self.liveliness.has_died(before, now, self._num_shown / RATE_HZ):
                return index / RATE_HZ
        return None

    def reopen(self) -> None:
        self.liveliness.begin()
        self._before = None

    def _picture(self, noise: float) -> Image:
        return np.clip(self._scene + self._rng.normal(0, noise, self._scene.shape), 0, 255).astype(np.uint8)


def test_a_sensor_that_goes_on_is_alive_whatever_is_before_it() -> None:
    stream = Stream()
    for noise in (4.0, 2.0, 8.0, 1.5, 4.0):
        assert stream.show(noise, 20.0) is None


def test_a_sensor_that_gets_stuck_is_told_within_two_seconds_although_key_frames_come() -> None:
    stream = Stream()
    assert stream.show(4.0, 15.0) is None
    after_s = stream.show(0.0, 10.0, key_noise=4.0)
    assert after_s is not None
    assert after_s < 2.0


def test_a_sensor_that_is_still_stuck_when_opened_anew_is_told_again() -> None:
    stream = Stream()
    stream.show(4.0, 15.0)
    for _ in range(3):
        after_s = stream.show(0.0, 10.0)
        assert after_s is not None
        assert after_s < 2.0
        stream.reopen()


def test_a_camera_that_has_become_calmer_is_doubted_once() -> None:
    stream = Stream()
    stream.show(8.0, 15.0)
    assert stream.show(1.2, 10.0) is not None
    stream.reopen()
    assert stream.show(1.2, 200.0) is None


def test_an_encoder_that_hides_the_noise_proves_nothing() -> None:
    stream = Stream()
    assert stream.show(0.0, 30.0, key_noise=4.0) is None


def test_what_has_just_begun_to_send_is_not_judged() -> None:
    stream = Stream()
    stream.show(4.0, 3.0)
    assert stream.show(0.0, 2.0) is None
