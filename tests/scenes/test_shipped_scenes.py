"""What `sorter demo` shows by default: our own film, whole, small and of all six classes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.cameras.replay import VideoFile
from edge.cameras.simulated import SCENES, load_scenes
from edge.truth.scoring import load_truth
from tests.scenes.pictures import Stage, load_stage

CLASSES = {"cardboard", "glass", "metal", "paper", "plastic", "trash"}
MAX_FILM_BYTES = 4_000_000  # it travels inside the package


@pytest.fixture(scope="module")
def stage() -> Stage:
    return load_stage()


def test_the_film_shows_a_dozen_items_of_every_class_of_the_shipped_model() -> None:
    events = load_scenes().reel.events
    assert {event.label for event in events} == CLASSES
    assert len({event.source for event in events}) == len(events) == 12


def test_the_folder_holds_the_film_and_its_truth_and_stays_small() -> None:
    assert {path.name for path in SCENES.iterdir()} == {"film.mp4", "film.json"}
    assert (SCENES / "film.mp4").stat().st_size <= MAX_FILM_BYTES
    assert len(load_truth(SCENES / "film.json").events) == 12


def test_the_film_lasts_as_long_as_its_truth_says_and_ends_as_it_begins() -> None:
    scenes = load_scenes()
    images = [image for _, image in VideoFile(scenes.film).play()]
    assert len(images) == round(scenes.reel.seconds * scenes.reel.rate_hz)
    # The codec's own error is about one gray level.
    assert np.abs(images[0].astype(float) - images[-1]).mean() < 3


def test_an_item_changes_its_box_and_leaves_the_far_corners_of_the_bin_alone(stage: Stage) -> None:
    for item in stage.items:
        difference = relit_difference(stage, item.picture)
        box = difference[item.box.y : item.box.y + item.box.height, item.box.x : item.box.x + item.box.width]
        corners = np.concatenate([difference[:40, :40].ravel(), difference[-40:, -40:].ravel()])
        assert (box > 20).mean() > 0.15, item.source
        assert (corners > 20).mean() < 0.01, item.source


def test_beside_an_item_and_its_shadow_the_bin_is_as_it_was(stage: Stage) -> None:
    for item in stage.items:
        difference = cv2.GaussianBlur(relit_difference(stage, item.picture), (5, 5), 0)
        # A lamp at 60 degrees above the tray throws shadows of about half an item's height.
        reach = round(0.25 * max(item.box.width, item.box.height))
        beside = np.ones(difference.shape, bool)
        beside[
            max(0, item.box.y - reach) : item.box.y + item.box.height + reach,
            max(0, item.box.x - reach) : item.box.x + item.box.width + reach,
        ] = False
        # Somebody's shadow passes while the paper ball lies there: smooth, and gone at once.
        assert np.percentile(difference[beside], 98) < 20, item.source


def relit_difference(stage: Stage, picture: np.ndarray) -> np.ndarray:
    """Gray levels by which a picture differs from the empty scene in its light."""
    corner = np.s_[:40, :40]  # no item lies there
    gain = picture[corner].mean(axis=(0, 1)) / stage.empty[corner].mean(axis=(0, 1))
    lit = np.clip(stage.empty * gain, 0, 255).astype(np.uint8)
    return cv2.absdiff(picture, lit).max(axis=2)
