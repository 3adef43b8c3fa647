"""Lamp, lens and sensor change a picture by as much as they are told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.messages import Image
from edge.simulation.lens import Conditions, Lens

CLEAR = Conditions(
    exposure_drift=0, cast=0, flicker=0, noise=0, jitter_px=0, blur_px=0, jpeg_quality=100, exposure_step=0
)


def halves() -> np.ndarray:
    """Dark on the left, light on the right."""
    scene = np.full((48, 64, 3), 60, np.float32)
    scene[:, 32:] = 180
    return scene


def photographed(conditions: Conditions, at_s: float = 0.0, shift_at_s: float = 1e9) -> Image:
    return Lens(conditions, np.random.default_rng(1), shift_at_s).photograph(halves(), at_s)


def test_a_camera_without_faults_shows_the_scene() -> None:
    # JPEG at its best still rounds.
    assert np.abs(photographed(CLEAR).astype(int) - halves().astype(int)).max() <= 3


def test_noise_is_as_strong_as_said_and_grows_with_the_light() -> None:
    # JPEG keeps the brightness (Rec. 601) and averages the colors of four pixels.
    weights = np.array([0.299, 0.587, 0.114])
    brightness = photographed(replace(CLEAR, noise=4.0)) @ weights
    dark, light = brightness[:, 4:28].std(), brightness[:, 36:60].std()
    # `noise` is the deviation of a channel at 128; shot noise goes with the root of the light.
    of_brightness = 4 * float(np.linalg.norm(weights))
    assert dark == pytest.approx(of_brightness * np.sqrt(60 / 128), rel=0.2)
    assert light == pytest.approx(of_brightness * np.sqrt(180 / 128), rel=0.2)


def test_a_step_of_exposure_comes_and_goes() -> None:
    stepping = replace(CLEAR, exposure_step=0.25, step_every_s=2.0)
    means = [photographed(stepping, at_s).mean() for at_s in (1.0, 3.0, 5.0)]
    assert means == pytest.approx([120, 150, 120], abs=1)


def test_blur_softens_an_edge_and_a_shift_moves_it_for_good() -> None:
    def sharpest_step(image: Image) -> int:
        return int(np.abs(np.diff(image[24, :, 0].astype(int))).max())

    assert sharpest_step(photographed(replace(CLEAR, blur_px=3.0))) < sharpest_step(photographed(CLEAR)) / 3
    shifting = replace(CLEAR, shift_px=12.0)
    before, after = (photographed(shifting, at_s, shift_at_s=5.0) for at_s in (4.9, 5.1))
    assert np.array_equal(before, photographed(CLEAR))
    assert not np.array_equal(after, before)


def test_a_lower_quality_is_further_from_the_truth() -> None:
    grain = np.random.default_rng(2).uniform(0, 255, (48, 64, 3)).astype(np.float32)

    def error(quality: int) -> float:
        image = Lens(replace(CLEAR, jpeg_quality=quality), np.random.default_rng(1), 1e9).photograph(grain.copy(), 0.0)
        return float(np.abs(image - grain).mean())

    assert error(95) < error(70) < error(40)


def test_a_dim_and_colored_lamp_dims_and_colors_all_that_is_seen() -> None:
    seen = photographed(replace(CLEAR, brightness=0.5, tint=(1.2, 1.0, 0.4)))[:, 40:]
    np.testing.assert_allclose(seen.mean(axis=(0, 1)), 180 * 0.5 * np.array([1.2, 1.0, 0.4]), atol=3)  # JPEG
