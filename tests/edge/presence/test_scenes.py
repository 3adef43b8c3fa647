"""Lamps that go on and off: what each light showed is known again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.messages import Phase
from edge.presence import PresenceDetector, PresenceSettings
from tests.edge.presence.watcher import HEIGHT, RATE_HZ, WIDTH, Scene, Watcher, ground, with_item

ROOM, NIGHT = 0.4, 0.02
ADAPT_S, A_WHILE_S = 3.0, 7.0


def bin_with_a_lamp(scene: Scene) -> Watcher:
    """One whose lamp has been on while it was set up, and off for a while since."""
    watcher = Watcher(PresenceDetector(PresenceSettings(adapt_s=ADAPT_S), scene.clip(0, 255).astype(np.uint8)))
    watcher.see(scene, 1.0)
    return watcher


def shining(scene: Scene, strength: float = 90.0, radius_px: int = 22) -> Scene:
    """With the reflection of a lamp in the ground."""
    spot = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(spot, (220, 110), radius_px, (strength,), cv2.FILLED)
    return scene + cv2.GaussianBlur(spot, (0, 0), 3)[..., None]


@pytest.mark.parametrize("light", [ROOM, NIGHT])
def test_an_item_that_comes_as_the_lamp_is_switched_on_rests_at_once(light: float) -> None:
    scene = shining(ground())
    watcher = bin_with_a_lamp(scene)
    watcher.see(ground() * np.float32(light), A_WHILE_S)
    watcher.phases.clear()
    pale = with_item(scene, color=(150, 140, 130))
    assert watcher.see(pale, 2.0).phase is Phase.SETTLED
    assert watcher.phases.index(Phase.SETTLED) <= 0.5 * RATE_HZ
    assert watcher.see(scene, 1.0).phase is Phase.EMPTY


@pytest.mark.parametrize("light", [ROOM, NIGHT])
def test_the_reflection_of_a_lamp_that_is_known_is_no_item(light: float) -> None:
    scene = shining(ground())
    watcher = bin_with_a_lamp(scene)
    for _ in range(2):
        watcher.see(ground() * np.float32(light), A_WHILE_S)
        watcher.phases.clear()
        watcher.see(scene, 2.0)
        assert set(watcher.phases) == {Phase.EMPTY}


def test_somebody_who_steps_before_the_window_makes_no_lamp_forgotten() -> None:
    """A light that hardly lasted is not worth to be remembered in the place of others."""
    scene = shining(ground())
    watcher = bin_with_a_lamp(scene)
    watcher.see(ground() * np.float32(ROOM), A_WHILE_S)
    for shadow in (0.28, 0.2, 0.14):
        watcher.see(ground() * np.float32(shadow), 0.5)
        watcher.see(ground() * np.float32(ROOM), 1.0)
    watcher.phases.clear()
    watcher.see(scene, 2.0)
    assert set(watcher.phases) == {Phase.EMPTY}


def test_a_lamp_that_comes_up_slowly_is_known_too() -> None:
    scene = shining(ground())
    watcher = bin_with_a_lamp(scene)
    watcher.see(ground() * np.float32(NIGHT), A_WHILE_S)
    watcher.phases.clear()
    watcher.see(scene, 0.5, lambda full, at_s: full * np.float32(NIGHT + (1 - NIGHT) * at_s / 0.5))
    watcher.see(scene, 2.0)
    assert Phase.SETTLED not in watcher.phases
    assert watcher.phases[-1] is Phase.EMPTY


def test_a_camera_that_exposes_every_light_alike_knows_them_apart() -> None:
    """The reflection alone tells the lamp from the room once the exposure has followed."""
    scene = shining(ground())
    watcher = bin_with_a_lamp(scene)

    def followed(full: Scene, at_s: float) -> Scene:
        return full * np.float32(1 + 0.8 * np.exp(-at_s / 0.3))

    def recovered(full: Scene, at_s: float) -> Scene:
        return full * np.float32(1 - 0.5 * np.exp(-at_s / 0.3))

    for _ in range(2):
        watcher.see(ground(), A_WHILE_S, recovered)
        watcher.phases.clear()
        watcher.see(scene, 3.0, followed)
        assert Phase.SETTLED not in watcher.phases
        assert watcher.phases[-1] is Phase.EMPTY


def test_an_item_that_a_jump_of_light_hides_lies_there_still() -> None:
    watcher = bin_with_a_lamp(ground())
    pale = ground()
    pale[60:100, 120:180] *= (1.25, 1.2, 1.1)
    assert watcher.see(pale, 1.0).phase is Phase.SETTLED
    watcher.phases.clear()
    watcher.see(pale * np.float32(ROOM), 1.0)
    assert watcher.see(pale, 1.0).phase is Phase.SETTLED
    assert Phase.EMPTY not in watcher.phases
    assert watcher.see(ground(), 1.0).phase is Phase.EMPTY


def test_what_goes_after_the_light_has_jumped_is_gone_at_once() -> None:
    watcher = bin_with_a_lamp(ground())
    watcher.see(with_item(ground()), 1.0)
    watcher.see(with_item(ground()) * np.float32(0.7), 1.0)
    assert watcher.see(ground() * np.float32(0.7), 0.5).phase is Phase.EMPTY


def test_what_was_thrown_in_while_the_lamp_was_off_is_seen_when_it_comes_on() -> None:
    watcher = bin_with_a_lamp(ground())
    watcher.see(ground() * np.float32(NIGHT), A_WHILE_S)
    watcher.see(with_item(ground()) * np.float32(NIGHT), A_WHILE_S)
    watcher.phases.clear()
    assert watcher.see(with_item(ground()), 1.0).phase is Phase.SETTLED
    assert watcher.phases.index(Phase.SETTLED) <= 0.5 * RATE_HZ


@pytest.mark.parametrize("light", [0.75, 0.45])
def test_a_flap_that_opens_and_shuts_again_leaves_the_empty_scene(light: float) -> None:
    """The reflection that is gone from the floor meanwhile looks like a thing that was taken away."""
    opening = np.ones((HEIGHT, WIDTH), np.float32)
    opening[30:-30, 30:-30] = light
    floor, opened = shining(ground(), 110, 40), ground() * cv2.GaussianBlur(opening, (0, 0), 25)[..., None]
    watcher = bin_with_a_lamp(floor)
    for _ in range(2):
        watcher.see(with_item(floor), 1.0)
        watcher.see(opened, 0.5)
        watcher.phases.clear()
        watcher.see(floor, 2.0)
        assert {Phase.SETTLED, Phase.MANY}.isdisjoint(watcher.phases)
        assert watcher.phases[-1] is Phase.EMPTY
