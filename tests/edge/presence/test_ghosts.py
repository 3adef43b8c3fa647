"""What was learned with the empty scene and is taken away is no item, and what is laid on a ground is no ghost."""

from __future__ import annotations

import numpy as np
import pytest

from edge.messages import Box, Phase
from edge.presence import PresenceDetector
from tests.edge.presence.watcher import CAN, HEIGHT, WIDTH, Scene, Watcher, ground, with_item
from tests.edge.simulation.grounds import render_ground

CARD = Box(110, 50, 90, 70)


BROWN, BLUE = (1.3, 1.0, 0.7), (0.73, 0.98, 1.29)


def with_card(scene: Scene, shade: float, tint: tuple[float, float, float]) -> Scene:
    """A sheet of one color, `shade` times as bright as the ground."""
    scene, color = scene.copy(), float(scene.mean()) * shade * np.array(tint, np.float32)
    scene[CARD.y : CARD.y + CARD.height, CARD.x : CARD.x + CARD.width] = color
    return scene


@pytest.mark.parametrize("tint", [BROWN, BLUE], ids=["brown", "blue"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_flat_thing_about_as_bright_as_a_grained_ground_is_no_ghost(
    seed: int, tint: tuple[float, float, float]
) -> None:
    """It hides the edges of the grain, and has few of its own."""
    empty = render_ground("wood", np.random.default_rng(seed), WIDTH, HEIGHT).astype(np.float32)
    watcher = Watcher(PresenceDetector())
    watcher.see(empty, 2.0)
    assert watcher.see(with_card(empty, 0.95, tint), 2.0).phase is Phase.SETTLED
    assert watcher.see(empty, 0.5).phase is Phase.EMPTY


@pytest.mark.parametrize("shade", [0.8, 1.2])
@pytest.mark.parametrize("name", ["wood", "cardboard", "steel"])
def test_a_ghost_on_a_grained_ground_is_forgotten(name: str, shade: float) -> None:
    empty = render_ground(name, np.random.default_rng(1), WIDTH, HEIGHT).astype(np.float32)
    watcher = Watcher(PresenceDetector())
    watcher.see(with_card(empty, shade, BLUE), 2.0)
    watcher.phases.clear()
    watcher.see(empty, 1.0)
    assert Phase.SETTLED not in watcher.phases
    assert watcher.phases[-1] is Phase.EMPTY


def test_a_ghost_beside_an_item_does_not_end_the_item() -> None:
    """The whole scene was said to be empty for a frame, so that the item was decided twice."""
    other = Box(30, 100, 50, 40)
    watcher = Watcher(PresenceDetector())
    watcher.see(with_item(ground(), other, (60, 80, 190)), 2.0)
    watcher.see(with_item(with_item(ground(), other, (60, 80, 190))), 1.0)
    watcher.phases.clear()
    presence = watcher.see(with_item(ground()), 2.0)
    assert Phase.EMPTY not in watcher.phases
    assert presence.phase is Phase.SETTLED
    assert presence.box is not None
    assert abs(presence.box.x - CAN.x) < 5
