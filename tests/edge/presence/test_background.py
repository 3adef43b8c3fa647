"""The empty scene goes with the camera and with the light, and not away by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.messages import Phase
from edge.presence import PresenceDetector
from tests.edge.presence.watcher import HEIGHT, WIDTH, Scene, Watcher, ground, with_item


def with_box(left: int) -> Scene:
    scene = np.full((HEIGHT, WIDTH, 3), 120, np.float32)
    scene[60:120, left : left + 60] = (40, 50, 60)
    return scene


@pytest.mark.parametrize("way", [40, 120])
def test_the_one_thing_of_the_scene_that_is_moved_is_no_camera_that_was_pushed(way: int) -> None:
    """All edges go the same way, and by far more than a camera is ever pushed: it lies elsewhere, and is an item."""
    watcher = Watcher(PresenceDetector(background=with_box(40).astype(np.uint8)))
    watcher.see(with_box(40), 0.5)
    assert watcher.see(with_box(40 + way), 2.0).phase is Phase.SETTLED


@pytest.mark.parametrize("light", [0.5, 1.5])
def test_items_are_seen_after_something_has_hidden_all_of_the_scene_in_another_light(light: float) -> None:
    """The scene took the same change of light over again and again, and ran away from what it looks like."""
    empty = ground() * np.float32(0.6)
    patches = np.random.default_rng(4).uniform(20, 230, (6, 10, 3)).astype(np.float32)
    bag: Scene = cv2.resize(patches, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
    watcher = Watcher(PresenceDetector(background=empty.astype(np.uint8)))
    watcher.see(empty, 0.5)
    watcher.see(empty * light, 0.3)
    watcher.see(bag * light, 30.0)
    watcher.see(empty * light, 1.5)
    assert watcher.see(with_item(empty) * light, 1.0).phase is Phase.SETTLED
