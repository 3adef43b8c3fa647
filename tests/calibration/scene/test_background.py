"""The empty scene is learned when it is empty and still, and refused when it is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.scene.background import SceneMean, calibrate_background, encode_scene, mean_of_folder, watch_still
from calibration.scene.emptiness import suspects
from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.config import Config
from edge.errors import CameraLostError, CheckFailedError
from edge.messages import Frame, Image, Phase
from edge.presence import PresenceDetector
from edge.presence.planes import Floats
from edge.presence.settings import PresenceSettings, Region
from edge.site import load_site
from tests.scenes.pictures import load_stage

SETTINGS = PresenceSettings()
RATE_HZ = 10.0


class Script:
    """An eyepiece before which the given pictures pass."""

    controls = None

    def __init__(self, pictures: list[Image]) -> None:
        self._frames = iter([Frame(index, index / RATE_HZ, picture) for index, picture in enumerate(pictures)])

    def next_frame(self) -> Frame:
        frame = next(self._frames, None)
        if frame is None:
            raise CameraLostError("over")
        return frame


def ground(seed: int, noise: float = 2.0) -> Image:
    """A lit plane with a slope, 96 x 64, and the sensor's noise."""
    y, x = np.mgrid[0:64, 0:96]
    plane = (120 + 0.4 * x + 0.3 * y)[..., None] * np.array([1.0, 0.95, 0.9])
    return np.clip(plane + np.random.default_rng(seed).normal(0, noise, plane.shape), 0, 255).astype(np.uint8)


def with_item(image: Image, x: int = 40) -> Image:
    lain = image.copy()
    cv2.ellipse(lain, (x, 32), (14, 10), 0, 0, 360, (30, 60, 140), cv2.FILLED)
    return lain


def desk(folder: Path) -> Desk:
    return Desk(Config(), SiteFolder(folder), Talk(is_sure=True, as_json=True))


def save(folder: Path, *images: Image) -> Path:
    folder.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image[..., ::-1])
    return folder


def test_a_still_scene_is_learned_with_its_noise() -> None:
    scene, _ = watch_still(Script([ground(seed) for seed in range(40)]), SETTINGS)
    clean = ground(0, noise=0.0)
    # 21 pictures average the noise of 2 levels to less than half a level.
    assert np.abs(scene.picture.astype(float) - clean).mean() < 1.0
    # 4 x 4 pixels average the noise of 2 levels to half a level.
    assert scene.variation.mean() == pytest.approx(0.5, abs=0.1)
    assert scene.num_frames == 21


def test_learning_begins_again_after_a_movement() -> None:
    hand = [with_item(ground(seed), x=10 * seed) for seed in range(5)]
    scene, _ = watch_still(Script([*hand, *(ground(seed) for seed in range(40))]), SETTINGS)
    assert scene.num_frames == 21
    assert not suspects(scene.picture)


def test_a_scene_that_never_rests_is_refused() -> None:
    moving = [with_item(ground(seed), x=10 + 7 * (seed % 10)) for seed in range(200)]
    with pytest.raises(CheckFailedError, match="keep hands away"):
        watch_still(Script(moving), SETTINGS)


def test_of_a_folder_every_picture_counts_and_must_show_the_same() -> None:
    scene, last = mean_of_folder(Script([ground(seed) for seed in range(3)]), SETTINGS)
    assert (scene.num_frames, last.sequence) == (3, 2)
    assert mean_of_folder(Script([ground(0)]), SETTINGS)[0].num_frames == 1
    with pytest.raises(CheckFailedError, match="the pictures differ from each other"):
        mean_of_folder(Script([ground(0), with_item(ground(1))]), SETTINGS)
    with pytest.raises(CameraLostError):
        mean_of_folder(Script([]), SETTINGS)


def test_what_moves_outside_of_the_region_does_not_count() -> None:
    moving = [with_item(ground(seed), x=70 + 4 * (seed % 3)) for seed in range(40)]
    settings = PresenceSettings(region=Region(0, 0, 0.5, 1))
    assert watch_still(Script(moving), settings)[0].num_frames == 21


def test_the_spread_is_what_many_pictures_say() -> None:
    mean = SceneMean((4, 8, 3))
    for level in (100, 104):
        mean.add(np.full((4, 8, 3), level, np.uint8))
    assert mean.scene().picture.mean() == 102
    assert mean.scene().variation == pytest.approx(np.full((1, 2), 2.0))


def test_an_item_in_the_empty_scene_is_suspected() -> None:
    assert suspects(ground(0)) == []
    (box,) = suspects(with_item(ground(0)))
    assert abs(box.x + box.width / 2 - 40) < 4
    assert abs(box.y + box.height / 2 - 32) < 4


def test_the_shipped_empty_scene_is_empty() -> None:
    assert suspects(load_stage().empty) == []


def test_the_device_reads_what_was_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = save(tmp_path / "empty", *(ground(seed) for seed in range(9)))
    calibrate_background(desk(tmp_path / "site"), images, is_empty=False)
    assert "close the lid" not in capsys.readouterr().err, "these pictures were taken long ago"
    site = load_site(tmp_path / "site", load_bundle(DEFAULT_BUNDLE))
    assert site.background is not None
    assert np.abs(site.background.astype(float) - ground(0, noise=0.0)).mean() < 1.0
    assert site.fingerprint is not None
    assert site.fingerprint.noise == pytest.approx(0.5, abs=0.1)
    assert site.variation is not None
    assert site.variation.mean() == pytest.approx(0.5, abs=0.1)


def test_an_item_in_a_single_picture_is_refused_unless_the_owner_knows_better(tmp_path: Path) -> None:
    images = save(tmp_path / "pictures", with_item(ground(0)))
    with pytest.raises(CheckFailedError, match="stands out from the ground"):
        calibrate_background(desk(tmp_path / "site"), images, is_empty=False)
    assert not (tmp_path / "site" / "site.toml").exists()
    calibrate_background(desk(tmp_path / "site"), images, is_empty=True)
    assert (tmp_path / "site" / "site.toml").exists()


def test_what_was_not_there_last_time_is_refused_on_any_ground(tmp_path: Path) -> None:
    """A checkered ground, on which nothing stands out by itself."""
    checks = np.kron(np.indices((8, 12)).sum(axis=0) % 2, np.ones((8, 8))) * 90 + 60
    patterned = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    calibrate_background(desk(tmp_path / "site"), save(tmp_path / "empty", patterned), is_empty=True)
    forgotten = patterned.copy()
    forgotten[20:44, 30:60] = (200, 60, 30)
    with pytest.raises(CheckFailedError, match="not in the empty scene that was calibrated last"):
        calibrate_background(desk(tmp_path / "site"), save(tmp_path / "later", forgotten), is_empty=False)


def test_the_parts_are_pictures_that_lose_nothing() -> None:
    mean = SceneMean((64, 96, 3))
    for seed in range(5):
        mean.add(ground(seed))
    scene = mean.scene()
    parts = encode_scene(scene)
    again = cv2.imdecode(np.frombuffer(parts["background.png"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert (again == scene.picture).all()


def test_what_flickers_by_itself_is_no_item_once_its_variation_is_known() -> None:
    """A screen in the corner that shows two pictures by turns, 25 levels apart."""

    def flickering(index: int) -> Image:
        image = ground(index)
        image[8:28, 60:88] = np.clip(image[8:28, 60:88].astype(int) + (25 if index % 2 else 0), 0, 255)
        return image

    mean = SceneMean(ground(0).shape)
    for index in range(20):
        mean.add(flickering(index))
    scene = mean.scene()
    later = [Frame(index, index / RATE_HZ, flickering(index)) for index in range(40, 60)]

    def phases(variation: Floats | None) -> list[Phase]:
        detector = PresenceDetector(PresenceSettings(adapt_s=3600), scene.picture, variation)
        return [detector.update(frame).phase for frame in later]

    assert Phase.MOVING in phases(None)
    assert set(phases(scene.variation)) == {Phase.EMPTY}
