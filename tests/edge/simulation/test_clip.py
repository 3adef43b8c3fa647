"""A simulated clip and its truth fit each other, and what is there already is left alone."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.cameras.replay import VideoFile
from edge.commands.simulate import simulate
from edge.errors import MissingInputError, PictureError, StorageError, UsageError
from edge.messages import Frame
from edge.simulation import Conditions, Cutout, Plan, Scene, load_cutouts, load_grounds, write_clip
from edge.truth.scoring import load_truth

PLAN = Plan(width_px=96, height_px=64, lead_s=0.2, rest_s=(0.3, 0.4), gap_s=(0.1, 0.2), hand_only_share=0.0)
GROUND = np.full((64, 96, 3), 190, np.uint8)


ITEM = Cutout(np.full((20, 30, 3), 40, np.uint8), np.ones((20, 30), np.float32), "can", "can.jpg")


def scene(num_items: int = 2) -> Scene:
    return Scene([ITEM] * num_items, GROUND, PLAN, Conditions(), seed=1)


def photographs(folder: Path, counts: dict[str, int]) -> Path:
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            picture = np.full((60, 80, 3), 220, np.uint8)
            cv2.circle(picture, (40, 30), 15 + number, (30, 60, 200), cv2.FILLED)
            cv2.imwrite(str(folder / label / f"{number}.jpg"), picture)
    return folder


@pytest.mark.parametrize("ending", [".avi", ".mp4"])
def test_a_clip_has_every_frame_and_a_truth_that_loads(ending: str, tmp_path: Path) -> None:
    clip, staged = tmp_path / f"clip{ending}", scene()
    truth_path = write_clip(staged, clip)
    stills = list(VideoFile(clip).play())
    content = json.loads(truth_path.read_text())
    assert len(stills) == content["frames"] == len(list(staged.frames()))
    truth = load_truth(truth_path)
    assert [event.label for event in truth.events] == ["can", "can"]
    assert [event.settled for event in truth.events] == pytest.approx([v.settled_s for v in staged.visits], abs=0.001)
    assert truth.seconds == pytest.approx(stills[-1][0], abs=2 / PLAN.rate_hz)  # the last frame begins before its end
    assert {path.name for path in tmp_path.iterdir()} == {clip.name, "clip.json"}


@pytest.mark.parametrize("name", ["clip.avi", "clip.json"])
def test_what_is_there_already_is_replaced_on_request_only(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(UsageError, match=rf"{name} exists already.*--force"):
        write_clip(scene(1), tmp_path / "clip.avi")
    assert (tmp_path / name).read_text() == "precious"
    write_clip(scene(1), tmp_path / "clip.avi", should_replace=True)
    assert len(load_truth(tmp_path / "clip.json").events) == 1


def test_another_ending_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mp4 or \.avi"):
        write_clip(scene(1), tmp_path / "clip.mkv")
    with pytest.raises(StorageError, match="No such file or directory"):
        write_clip(scene(1), tmp_path / "nowhere" / "clip.avi")


def test_a_full_disk_leaves_no_half_of_a_clip(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))  # bytes; the clip would have 16,000
    try:
        with pytest.raises(StorageError, match=r"0 of \d+ frames arrived, is the disk full"):
            write_clip(scene(1), tmp_path / "clip.avi")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


class BrokenOff(Scene):
    """Ctrl-C at the third frame."""

    def frames(self) -> Iterator[Frame]:
        yield from islice(super().frames(), 2)
        raise KeyboardInterrupt


def test_a_clip_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_clip(BrokenOff([ITEM], GROUND, PLAN, Conditions(), seed=1), tmp_path / "clip.avi")
    assert list(tmp_path.iterdir()) == []


def test_items_are_taken_from_all_classes_in_turn(tmp_path: Path) -> None:
    folder = photographs(tmp_path, {"can": 3, "jar": 1, "lid": 2})
    assert [cutout.label for cutout in load_cutouts(folder)] == ["can", "jar", "lid", "can", "lid", "can"]
    assert [cutout.label for cutout in load_cutouts(folder, limit=2)] == ["can", "jar"]


def test_the_truth_calls_a_class_as_a_model_does(tmp_path: Path) -> None:
    folder = photographs(tmp_path, {"Restmu\u0308ll": 1})  # as other computers write it
    assert [cutout.label for cutout in load_cutouts(folder)] == ["Restmüll"]


def test_what_other_systems_leave_beside_pictures_is_no_item(tmp_path: Path) -> None:
    folder = photographs(tmp_path, {"can": 1, ".trashed": 1})
    (folder / "can" / "._0.jpg").write_bytes(b"\x00")
    (folder / "can" / "album.jpg").mkdir()
    assert [cutout.label for cutout in load_cutouts(folder)] == ["can"]


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (2, 300), (300, 1)])
def test_a_picture_too_small_for_an_item_is_named(height_px: int, width_px: int, tmp_path: Path) -> None:
    folder = photographs(tmp_path, {"can": 1})
    cv2.imwrite(str(folder / "can" / "0.jpg"), np.full((height_px, width_px, 3), 90, np.uint8))
    with pytest.raises(PictureError, match=rf"0\.jpg has {width_px}x{height_px} pixels: too small"):
        load_cutouts(folder)


def test_photographs_without_an_outline_are_told_to_who_simulates(tmp_path: Path) -> None:
    items, ground = tmp_path / "items", np.full((48, 64, 3), 90, np.uint8)
    (items / "can").mkdir(parents=True)
    outlined = np.full((120, 160, 3), 215, np.uint8)
    cv2.rectangle(outlined, (50, 40), (110, 90), (160, 60, 30), -1)
    cv2.imwrite(str(items / "can" / "outlined.png"), outlined)
    cv2.imwrite(str(items / "can" / "all-ground.png"), np.full((120, 160, 3), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "ground.png"), ground)
    asked = ["--items", str(items), "--background", str(tmp_path / "ground.png"), "--out", str(tmp_path / "clip.avi")]
    told = CliRunner().invoke(simulate, asked)
    assert told.exit_code == 0, told.output
    assert "without an outline to cut along, in the clip whole, like prints: 1 of 2 photographs" in told.stderr
    assert "all-ground.png" in told.stderr
    assert "outlined.png" not in told.stderr


@pytest.mark.parametrize(("width_px", "height_px"), [(160, 90), (91, 161)])
def test_a_clip_is_as_large_as_its_background(width_px: int, height_px: int, tmp_path: Path) -> None:
    ground = tmp_path / "ground.png"
    cv2.imwrite(str(ground), np.full((height_px, width_px, 3), 90, np.uint8))
    clip, items = tmp_path / "clip.avi", photographs(tmp_path / "items", {"can": 1})
    told = CliRunner().invoke(simulate, ["--items", str(items), "--background", str(ground), "--out", str(clip)])
    assert told.exit_code == 0, told.output
    width_px, height_px = width_px // 2 * 2, height_px // 2 * 2  # even, as videos want it
    assert {image.shape for _, image in VideoFile(clip).play()} == {(height_px, width_px, 3)}
    assert json.loads(clip.with_suffix(".json").read_text())["size"] == [width_px, height_px]


def test_photographs_of_more_pixels_than_a_camera_has_are_taken_smaller(tmp_path: Path) -> None:
    (tmp_path / "can").mkdir()
    large = np.full((1500, 2560, 3), 215, np.uint8)
    cv2.rectangle(large, (800, 400), (1600, 1000), (160, 60, 30), -1)
    (tmp_path / "can" / "large.jfif").write_bytes(cv2.imencode(".jpg", large)[1].tobytes())
    (ground,) = load_grounds(tmp_path / "can")
    assert ground.shape == (750, 1280, 3)
    (item,) = load_cutouts(tmp_path)
    assert max(item.image.shape) == pytest.approx(400, abs=20)  # an outline is found on a coarser picture


def test_a_background_is_one_picture_or_all_of_a_folder(tmp_path: Path) -> None:
    folder = photographs(tmp_path, {"empty": 2}) / "empty"
    assert len(load_grounds(folder)) == 2
    assert len(load_grounds(folder / "0.jpg")) == 1


def test_what_is_not_there_is_missing_input(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for load in (load_cutouts, load_grounds):
        for path in (tmp_path / "nowhere", tmp_path / "empty"):
            with pytest.raises(MissingInputError):
                load(path)
