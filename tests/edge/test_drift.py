"""Drift of the empty scene: each thing that goes wrong in years below a lid is told from the others, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.drift import Drift, DriftWatch, compare, fingerprint, measure, sentences, sharpness
from edge.messages import Frame, Image, Phase, Presence, Sight
from edge.preprocess import load_picture
from edge.presence import Region
from tests.scenes.pictures import load_stage

Change = Callable[[Image], Image]


@pytest.fixture(scope="module")
def scene() -> Image:
    return load_stage().empty


def seen(image: Image, seed: int) -> Image:
    """What six pictures of a noisy camera have as their mean."""
    noise = np.random.default_rng(seed).normal(0, 2.5 / 6**0.5, image.shape)
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


def lit(*gains: float) -> Change:
    return lambda image: np.clip(image * np.array(gains), 0, 255).astype(np.uint8)


def moved(x: int, y: int) -> Change:
    """The camera moves by x, y: the scene goes the other way."""

    def change(image: Image) -> Image:
        push = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
        size = (image.shape[1], image.shape[0])
        return cv2.warpAffine(image, push, size, borderMode=cv2.BORDER_REFLECT)  # type: ignore[return-value]

    return change


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 3.0 * image.shape[1] / 640)  # type: ignore[return-value]


def smudged(image: Image) -> Image:
    height, width = image.shape[:2]
    veil = np.zeros((height, width), np.float32)
    cv2.circle(veil, (width // 3, height // 3), round(0.09 * width), (1.0,), cv2.FILLED)
    veil = cv2.GaussianBlur(veil, (0, 0), 0.02 * width)
    return (image * (1 - 0.5 * veil[..., None])).astype(np.uint8)


WRONG = [
    (lit(0.1), "lamp off"),
    (lit(0.5), "light changed"),
    (lit(1.1, 1.0, 0.9), "color shifted towards red"),
    (lit(0.9, 1.0, 1.1), "color shifted towards blue"),
    (lit(0.9, 1.08, 0.9), "color shifted towards green"),
    (moved(12, 0), "camera moved 12 px right"),
    (moved(-30, -20), "camera moved 30 px left and 20 px up"),
    (blurred, "picture blurred"),
    (smudged, "lens dirty"),
    (lit(1.08, 0.92, 1.08), "color shifted towards purple"),
]
HARMLESS = [lambda image: image, lit(0.9), lit(1.15), lit(1.03, 1.0, 0.98)]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_each_thing_that_goes_wrong_is_told_from_the_others(scene: Image, change: Change, said: str) -> None:
    (sentence,) = sentences(measure(seen(scene, 0), seen(change(scene), 1)))
    assert sentence.startswith(said)


@pytest.mark.parametrize("change", HARMLESS)
def test_an_ordinary_day_is_no_alarm(scene: Image, change: Change) -> None:
    assert list(sentences(measure(seen(scene, 0), seen(change(scene), 1)))) == []


@pytest.mark.parametrize(("light", "said"), [(0.6, "40% darker"), (1.7, "70% brighter")])
def test_light_is_told_by_how_much_it_changed(light: float, said: str) -> None:
    (sentence,) = sentences(Drift(light, 1.0, 1.0, 0, 0, 1.0, 0.0))
    assert sentence.startswith(f"light changed: the empty scene is {said};")


def test_a_movement_is_told_in_pixels_of_the_frame(scene: Image) -> None:
    large = cv2.resize(scene, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    (sentence,) = sentences(compare(large, moved(30, 0)(large), Region()))  # type: ignore[arg-type]
    assert sentence.startswith("camera moved 30 px right")


@pytest.mark.parametrize("name", ["belt_black_f_001", "belt_grey_b_001", "derived_bg_wadaba", "derived_med_ts10"])
def test_the_same_on_real_scenes(shared_data: Path, name: str) -> None:
    scene = load_picture(shared_data / "bins" / "empty" / f"{name}.jpg")
    for change in HARMLESS:
        assert list(sentences(measure(seen(scene, 0), seen(change(scene), 1)))) == [], name
    for change, said in (WRONG[0], WRONG[1], WRONG[2], WRONG[6], WRONG[8]):
        (sentence,) = sentences(measure(seen(scene, 0), seen(change(scene), 1)))
        assert sentence.startswith(said), name


def test_sharpness_is_of_the_lens_and_not_of_the_light(scene: Image) -> None:
    assert sharpness(lit(0.6)(scene)) == pytest.approx(sharpness(scene), rel=0.1)
    assert sharpness(blurred(scene)) < 0.2 * sharpness(scene)


def test_a_fingerprint_is_in_grey_levels() -> None:
    found = fingerprint(np.full((20, 30, 3), (200, 100, 60), np.uint8), noise=1.5)
    assert (found.red, found.green, found.blue, found.brightness) == (200, 100, 60, 120)
    assert (found.sharpness, found.noise) == (0, 1.5)


WHOLE, LEFT_HALF = Region(), Region(right=0.5)


class Day:
    """A watch on a scene, fed one sight a second."""

    def __init__(self, scene: Image, region: Region = WHOLE) -> None:
        self.told: list[str | None] = []
        self._watch = DriftWatch(scene, region, self.told.append, interval_s=1.0, num_samples=3, stuck_s=20.0)
        self._now_s = 0.0

    def see(self, image: Image, phase: Phase = Phase.EMPTY, num: int = 6) -> None:
        for _ in range(num):
            self._now_s += 1.0
            frame = Frame(int(self._now_s), self._now_s, seen(image, int(self._now_s)))
            self._watch(Sight(frame, Presence(phase)))


def test_a_change_that_stays_is_told_once_and_so_is_its_end(scene: Image) -> None:
    day = Day(scene)
    day.see(scene, num=12)
    assert day.told == []
    day.see(moved(12, 0)(scene), num=18)
    day.see(scene, num=18)
    assert [sentence is not None and "camera moved 12 px right" in sentence for sentence in day.told] == [True, False]


def test_a_change_that_passes_is_not_told(scene: Image) -> None:
    day = Day(scene)
    day.see(scene)
    day.see(lit(0.1)(scene), num=3)
    day.see(scene, num=12)
    assert day.told == []


def test_items_are_not_taken_for_drift(scene: Image) -> None:
    day = Day(scene)
    for _ in range(5):
        day.see(scene, num=3)
        day.see(lit(0.1)(scene), Phase.SETTLED, num=10)
    assert day.told == []


def beside(change: Change) -> Change:
    """The same in a mirror, and to the right of the middle alone."""

    def changed(image: Image) -> Image:
        middle = image.shape[1] // 2
        return np.hstack([image[:, :middle], change(image[:, ::-1])[:, ::-1][:, middle:]])

    return changed


@pytest.mark.parametrize("change", [lit(0.2), lit(1.4, 1.0, 0.8), smudged])
def test_what_becomes_of_the_picture_outside_of_the_region_is_no_drift(scene: Image, change: Change) -> None:
    now = beside(change)(scene)
    for region, is_told in ((WHOLE, True), (LEFT_HALF, False)):
        day = Day(scene, region)
        day.see(now)
        assert bool(day.told) == is_told
        assert bool([*sentences(compare(scene, now, region))]) == is_told


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_region_without_any_structure_is_not_told_as_blurred(scene: Image, level: int) -> None:
    """As of a ground so bright that the sensor is full all over it."""
    plain = scene.copy()
    plain[:, : scene.shape[1] // 2 + 1] = level
    assert [*sentences(compare(plain, plain, LEFT_HALF))] == []


def test_a_movement_is_told_within_the_region_too(scene: Image) -> None:
    day = Day(scene, LEFT_HALF)
    day.see(moved(12, 0)(scene), num=12)
    assert [str(sentence)[:24] for sentence in day.told] == ["camera moved 12 px right"]


def test_what_lies_there_for_ever_is_told(scene: Image) -> None:
    day = Day(scene)
    day.see(scene)
    day.see(scene, Phase.SETTLED, num=30)
    assert len(day.told) == 1
    assert day.told[0] is not None
    assert "never empty" in day.told[0]
    day.see(scene, num=12)
    assert day.told[-1] is None
