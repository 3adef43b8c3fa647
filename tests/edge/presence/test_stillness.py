"""What stays becomes part of the empty scene, also where nothing explains it for long."""

from __future__ import annotations

import numpy as np
import pytest

from edge.messages import Box, Phase
from edge.presence import PresenceDetector, PresenceSettings
from tests.edge.presence.watcher import HEIGHT, WIDTH, Watcher, with_item
from tests.edge.simulation.grounds import render_ground

ABSORB_S = 6.0


@pytest.mark.parametrize(("before", "after", "seed"), [("steel", "cardboard", 1), ("steel", "wood", 2)])
def test_a_bin_with_another_liner_sees_items_again(before: str, after: str, seed: int) -> None:
    """Its light was taken now for this and now for that: nothing lay still, nothing was absorbed, nothing was seen."""
    old, new = (render_ground(name, np.random.default_rng(seed), WIDTH, HEIGHT) for name in (before, after))
    watcher = Watcher(PresenceDetector(PresenceSettings(absorb_s=ABSORB_S), old))
    liner = new.astype(np.float32)
    watcher.see(old.astype(np.float32), 0.5)
    assert watcher.see(liner, ABSORB_S + 4.0).phase is Phase.EMPTY
    assert watcher.see(with_item(liner), 1.0).phase is Phase.SETTLED


def test_what_turns_is_no_part_of_the_scene_however_long() -> None:
    """A display, a fan, a hand that arranges."""
    ground = render_ground("grey", np.random.default_rng(3), WIDTH, HEIGHT)
    watcher = Watcher(PresenceDetector(PresenceSettings(absorb_s=ABSORB_S), ground))
    item = with_item(ground.astype(np.float32))
    watcher.see(item, 3 * ABSORB_S, lambda scene, at_s: np.roll(scene, round(40 * np.sin(3 * at_s)), axis=1))
    assert Phase.EMPTY not in watcher.phases


def test_what_was_left_lying_is_part_of_the_scene_though_items_come_and_go_beside_it() -> None:
    """Every item was several at once, for as long as the bin was busy."""
    ground = render_ground("grey", np.random.default_rng(3), WIDTH, HEIGHT)
    watcher = Watcher(PresenceDetector(PresenceSettings(absorb_s=ABSORB_S), ground))
    left_behind = with_item(ground.astype(np.float32))
    beside = with_item(left_behind, Box(220, 90, 50, 40), (40, 90, 170))
    for _ in range(2):
        assert watcher.see(left_behind, 0.4 * ABSORB_S).phase is Phase.SETTLED
        assert watcher.see(beside, 1.0).phase is Phase.MANY
    assert watcher.see(left_behind, 0.8 * ABSORB_S).phase is Phase.EMPTY
    assert watcher.see(beside, 1.0).phase is Phase.SETTLED


def test_what_shows_the_same_now_and_then_moves_all_the_same() -> None:
    """A display that changes its picture, a thing that swings."""
    ground = render_ground("grey", np.random.default_rng(3), WIDTH, HEIGHT).astype(np.float32)
    watcher = Watcher(PresenceDetector(PresenceSettings(absorb_s=ABSORB_S), ground.astype(np.uint8)))
    pictures = [with_item(ground, Box(60 + 40 * index, 90, 70, 60)) for index in range(3)]
    watcher.see(ground, 2 * ABSORB_S, lambda _, at_s: pictures[int(at_s / 0.9) % len(pictures)])
    assert Phase.EMPTY not in watcher.phases
