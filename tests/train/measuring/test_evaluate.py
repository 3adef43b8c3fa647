from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.data_folder import scan
from edge.errors import DatasetError, UsageError
from edge.messages import Box, Prediction
from edge.preprocess import Image, InputSpec
from tests.train.shapes import LABELS, draw_shapes
from train.measuring.evaluate import Find, Part, evaluate, evaluate_conditions, whole, with_splits_of
from train.measuring.metrics import Evaluation, measure_scores
from train.measuring.robustness import Row
from train.terminal import summary


class ColorClassifier:
    """A real, if simple, classifier of the drawn shapes: by the mean red and blue of the picture."""

    labels = LABELS
    input_spec = InputSpec(32, 32)

    def classify(self, image: Image) -> Prediction:
        assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)
        red, _, blue = image.reshape(-1, 3).mean(axis=0)
        scores = np.array([red - blue > 5, blue - red > 5, abs(red - blue) <= 5], np.float32)
        return Prediction(scores)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_shapes(tmp_path / "pictures", num_each=4)


def write_split(folder: Path) -> None:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    lines = [f"{path},{path.split('/')[0]},,{'val' if '/00' in path else 'train'}" for path in paths]
    (folder / "groups.csv").write_text("\n".join(["path,label,group,split", *lines]))


def test_a_plain_folder_is_evaluated_whole(folder: Path) -> None:
    outcome = evaluate(scan(folder), ColorClassifier(), model="color")
    assert (outcome.part, outcome.evaluation.num_images, outcome.evaluation.accuracy) == (Part.ALL, 12, 1.0)
    assert outcome.evaluation.model == "color"


@pytest.mark.parametrize(("part", "num_images"), [(None, 3), (Part.VAL, 3), (Part.TRAIN, 9), (Part.ALL, 12)])
def test_with_splits_the_held_out_part_is_the_default(folder: Path, part: Part | None, num_images: int) -> None:
    write_split(folder)
    outcome = evaluate(scan(folder), ColorClassifier(), model="color", part=part)
    assert outcome.evaluation.num_images == num_images


def test_a_split_that_does_not_exist_is_a_usage_error(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no groups.csv with splits: expected --split all"):
        evaluate(scan(folder), ColorClassifier(), model="color", part=Part.VAL)


def test_a_part_without_pictures_is_named(folder: Path) -> None:
    write_split(folder)
    with pytest.raises(DatasetError, match="there are no pictures of part test: choose another --split"):
        evaluate(scan(folder), ColorClassifier(), model="color", part=Part.TEST)


def test_a_class_that_the_model_does_not_know_is_named(folder: Path) -> None:
    (folder / "disc").rename(folder / "ball")
    with pytest.raises(DatasetError, match=r"does not know ball: expected .* disc, square, stripes"):
        evaluate(scan(folder), ColorClassifier(), model="color")


def test_damaged_pictures_are_listed_and_not_counted(folder: Path) -> None:
    (folder / "disc" / "00.png").write_bytes(b"damaged")
    outcome = evaluate(scan(folder), ColorClassifier(), model="color")
    assert [picture.path for picture in outcome.left_out] == ["disc/00.png"]
    assert outcome.evaluation.num_images == 11


def test_a_folder_of_damaged_pictures_is_an_error(folder: Path) -> None:
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="none of the 12 pictures"):
        evaluate(scan(folder), ColorClassifier(), model="color")


def test_a_folder_of_one_known_class_can_be_evaluated(folder: Path) -> None:
    for label in LABELS[1:]:
        for path in (folder / label).iterdir():
            path.unlink()
        (folder / label).rmdir()
    evaluation = evaluate(scan(folder), ColorClassifier(), model="color").evaluation
    assert evaluation.per_class["disc"].support == 4
    assert evaluation.macro_f1 == 1


def test_the_splits_of_a_run_stand_in_for_those_of_the_folder(folder: Path, tmp_path: Path) -> None:
    lines = ["disc/00.png,disc,,val", "square/01.png,square,,val", "square/02.png,square,,train"]
    (tmp_path / "splits.csv").write_text("\n".join(["path,label,group,split", *lines]))
    dataset = with_splits_of(scan(folder), tmp_path)
    outcome = evaluate(dataset, ColorClassifier(), model="color")
    assert (outcome.part, outcome.evaluation.num_images) == (Part.VAL, 2)
    (tmp_path / "splits.csv").write_text("path,label,group,split\nball/1.png,ball,,val\n")
    with pytest.raises(DatasetError, match="found none of its 1"):
        with_splits_of(scan(folder), tmp_path)


def conditions(folder: Path, find: Find = whole) -> tuple[Evaluation, dict[str, Row]]:
    dataset = scan(folder)
    outcome = evaluate(dataset, ColorClassifier(), model="color", find=find)
    rows = evaluate_conditions(dataset, ColorClassifier(), outcome, find=find)
    return outcome.evaluation, {row.condition: row for row in rows}


def test_conditions_change_the_pictures_and_only_them(folder: Path) -> None:
    _, rows = conditions(folder)
    assert rows["as it is"].accuracy == 1
    assert rows["white balance +15 % (warm)"].accuracy < 1  # this classifier goes by red and blue alone
    assert rows["exposure +20 %"].accuracy == 1
    assert {row.num_pictures for row in rows.values()} == {12}
    assert "other background" in rows


def test_conditions_see_the_item_that_the_evaluation_sees(folder: Path) -> None:
    # The upper left corner is ground in every picture, and gray, as only stripes are.
    evaluation, rows = conditions(folder, find=lambda _: Box(0, 0, 4, 4))
    assert rows["as it is"].accuracy == evaluation.accuracy == pytest.approx(1 / 3)


def test_half_a_picture_is_left_out_as_in_training(folder: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cv2.imwrite(str(folder / "disc" / "half.jpg"), image)
    (folder / "disc" / "half.jpg").write_bytes((folder / "disc" / "half.jpg").read_bytes()[:2000])
    outcome = evaluate(scan(folder), ColorClassifier(), model="color")
    assert [str(picture) for picture in outcome.left_out] == [
        "disc/half.jpg: truncated: the end of the JPEG is missing"
    ]


def test_conditions_leave_out_what_the_evaluation_leaves_out(folder: Path) -> None:
    (folder / "disc" / "00.png").write_bytes(b"damaged")
    (folder / "disc" / "01.png").unlink()
    (folder / "disc" / "01.png").symlink_to("gone.png")
    evaluation, rows = conditions(folder)
    assert {row.num_pictures for row in rows.values()} == {evaluation.num_images} == {10}


def test_a_class_without_pictures_is_not_called_wrong(folder: Path) -> None:
    for label in LABELS[1:]:
        shutil.rmtree(folder / label)
    said = summary(evaluate(scan(folder), ColorClassifier(), model="color").evaluation)
    assert " 0.0%" not in said
    assert said.count("no pictures") == 2


def test_of_a_hundred_classes_each_line_says_what_the_class_is_taken_for() -> None:
    labels = tuple(f"class {number:03}" for number in range(100))
    scores = np.full((300, 100), 0.001, np.float32)
    scores[np.arange(300), np.repeat([7, 7, 9], 100)] = 0.9  # of each class two are called 7, and one 9
    found = measure_scores(scores, np.tile(np.arange(100), 3), labels, model="many")
    lines = summary(found).splitlines()
    assert lines[-1].endswith("  class 007 2, class 009 1")
    assert lines[-91].endswith(" 3  class 007 2")
    assert max(map(len, lines)) < 160
