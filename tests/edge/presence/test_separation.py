"""The two ends of one clear thing are no two things."""

from __future__ import annotations

import numpy as np
import pytest

from edge.messages import Phase
from edge.presence import PresenceDetector
from tests.edge.presence.watcher import HEIGHT, WIDTH, Scene, Watcher

GREY = np.full((HEIGHT, WIDTH, 3), 120, np.float32)


def clear_bottle(haze: float, clear_px: int = 0) -> Scene:
    """A cap and a label, and between them a body that is so many levels brighter than the ground but for its axis."""
    scene = GREY.copy()
    scene[70:110, 90:250] += haze
    scene[90 - clear_px : 90 + clear_px, 90:250] = GREY[0, 0]
    scene[66:114, 60:95] = (190, 60, 50)
    scene[66:114, 245:280] = (60, 60, 190)
    return scene


def seen(scene: Scene) -> Phase:
    watcher = Watcher(PresenceDetector(background=GREY.astype(np.uint8)))
    watcher.see(GREY, 0.5)
    return watcher.see(scene, 1.5).phase


def test_with_nothing_between_them_they_are_two() -> None:
    assert seen(clear_bottle(haze=0.0)) is Phase.MANY


@pytest.mark.parametrize("haze", [2.5, 3.5])
def test_a_body_as_faint_as_haze_joins_them(haze: float) -> None:
    assert seen(clear_bottle(haze)) is Phase.SETTLED


@pytest.mark.parametrize("clear_px", [4, 8])
def test_a_tube_of_which_the_walls_alone_are_seen_joins_them(clear_px: int) -> None:
    assert seen(clear_bottle(3.5, clear_px)) is Phase.SETTLED
