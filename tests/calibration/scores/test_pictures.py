"""Labelled pictures go the device's own way: both views, only what training has not seen, damage left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.scores.pictures import measure
from calibration.scores.temperature import as_logits
from edge.classifiers.base import softmax
from edge.data_folder import scan
from edge.errors import DatasetError
from edge.messages import Box, Image, InputSpec, Prediction


class Redness:
    """Says `red` as surely as the left half of the picture is red."""

    labels = ("blue", "red")
    input_spec = InputSpec(16, 16)

    def classify(self, image: Image) -> Prediction:
        logit = float(image[:, :8, 0].mean()) / 64 - 2
        return Prediction(softmax(np.array([-logit, logit], np.float32), 1.0))


def paint(folder: Path, label: str, name: str, left: tuple[int, int, int], right: tuple[int, int, int]) -> None:
    (folder / label).mkdir(parents=True, exist_ok=True)
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, :8], image[:, 8:] = left[::-1], right[::-1]
    cv2.imwrite(str(folder / label / name), image)


RED, BLUE = (255, 0, 0), (0, 0, 255)


class Watched(Redness):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.seen: list[Image] = []

    def classify(self, image: Image) -> Prediction:
        self.seen.append(image)
        return super().classify(image)


def test_a_picture_counts_as_it_is_and_turned_a_quarter(tmp_path: Path) -> None:
    paint(tmp_path, "red", "left.png", RED, BLUE)
    classifier = Watched()
    (logits,) = measure(scan(tmp_path), classifier, 1.0).logits
    straight, turned = classifier.seen
    assert np.array_equal(turned, np.rot90(straight, -1))
    alone = as_logits(np.stack([classifier.classify(view).scores for view in (straight, turned)]), 1.0)
    assert logits == pytest.approx(alone.mean(axis=0))


def test_pictures_that_training_has_seen_are_left_alone(tmp_path: Path) -> None:
    paint(tmp_path, "red", "seen.png", RED, RED)
    paint(tmp_path, "blue", "other.png", BLUE, BLUE)
    lines = "path,label,group,split\nred/seen.png,red,a,train\nblue/other.png,blue,b,val\n"
    (tmp_path / "groups.csv").write_text(lines)
    measured = measure(scan(tmp_path), Redness(), 1.0)
    assert measured.paths == ("blue/other.png",)
    assert measured.at(1.0).answers.tolist() == [0]
    (tmp_path / "groups.csv").write_text(lines.replace("val", "test"))
    with pytest.raises(DatasetError, match=r"in the val part of its groups\.csv, .* found none"):
        measure(scan(tmp_path), Redness(), 1.0)


def test_the_item_is_cropped_where_the_finder_says(tmp_path: Path) -> None:
    paint(tmp_path, "red", "half.png", RED, BLUE)
    whole = measure(scan(tmp_path), Redness(), 1.0)
    item = measure(scan(tmp_path), Redness(), 1.0, find=lambda _: Box(0, 4, 4, 4))
    assert item.logits[0, 1] > whole.logits[0, 1]


def test_a_damaged_picture_is_left_out_and_named(tmp_path: Path) -> None:
    paint(tmp_path, "red", "good.png", RED, RED)
    (tmp_path / "red" / "bad.png").write_bytes(b"no picture")
    measured = measure(scan(tmp_path), Redness(), 1.0)
    assert measured.paths == ("red/good.png",)
    assert [picture.path for picture in measured.left_out] == ["red/bad.png"]


def test_a_link_to_nothing_and_a_folder_named_like_a_picture_do_not_stop_it(tmp_path: Path) -> None:
    paint(tmp_path, "red", "good.png", RED, RED)
    (tmp_path / "red" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "red" / "folder.jpg").mkdir()
    measured = measure(scan(tmp_path), Redness(), 1.0)
    assert measured.paths == ("red/good.png",)
    assert [picture.path for picture in measured.left_out] == ["red/gone.jpg"]


def test_a_folder_that_the_model_does_not_know_is_named(tmp_path: Path) -> None:
    paint(tmp_path, "green", "one.png", RED, RED)
    with pytest.raises(DatasetError, match="does not know green"):
        measure(scan(tmp_path), Redness(), 1.0)
