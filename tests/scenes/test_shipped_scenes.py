"""What `sorter demo` shows by default: our own renders, whole, small and of all six classes."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cameras.simulated import SCENES, load_stage

CLASSES = {"cardboard", "glass", "metal", "paper", "plastic", "trash"}
MAX_FOLDER_BYTES = 1_000_000  # they travel inside the package


def test_the_shipped_scenes_cover_every_class_of_the_shipped_model():
    assert {item.label for item in load_stage().items} == CLASSES


def test_the_shipped_scenes_stay_small_and_every_file_is_in_the_index():
    stage = load_stage()
    files = {path.name for path in SCENES.iterdir()}

    assert files == {item.file for item in stage.items} | {"empty.jpg", "scenes.json"}
    assert sum(path.stat().st_size for path in SCENES.iterdir()) <= MAX_FOLDER_BYTES


def test_an_item_changes_its_box_and_leaves_the_far_corners_of_the_bin_alone():
    stage = load_stage()

    for item in stage.items:
        difference = cv2.absdiff(item.picture, stage.empty).max(axis=2)
        box = difference[item.box.y : item.box.y + item.box.height, item.box.x : item.box.x + item.box.width]
        corners = np.concatenate([difference[:60, :60].ravel(), difference[-60:, -60:].ravel()])
        # Sensor noise and JPEG differ by some 10 gray levels between two renders of the same empty bin.
        assert (box > 20).mean() > 0.15, item.file
        assert (corners > 20).mean() < 0.01, item.file


def test_what_an_item_changes_lies_in_its_box_and_the_shadow_beside_it():
    stage = load_stage()

    for item in stage.items:
        difference = cv2.GaussianBlur(cv2.absdiff(item.picture, stage.empty).max(axis=2), (5, 5), 0)
        rows, columns = np.nonzero(difference > 20)
        # A lamp at 60 degrees above the tray throws shadows of about half an item's height.
        reach = 0.25 * max(item.box.width, item.box.height)
        near = (rows >= item.box.y - reach) & (rows <= item.box.y + item.box.height + reach)
        near &= (columns >= item.box.x - reach) & (columns <= item.box.x + item.box.width + reach)
        assert near.mean() > 0.98, item.file
