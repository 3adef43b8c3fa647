from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edge.data_folder import Dataset, scan
from edge.errors import DatasetError
from edge.run import SplitRow
from tests.train.shapes import LABELS, draw_shapes
from train.recipes import Data
from train.splits import Fold, leak, rarely_shown, with_splits

GROUPED = Data(val_share=0.4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_shapes(tmp_path / "pictures", num_each=5)


def twins(num_pairs: int) -> Dataset:
    """A class each of cans and jars, every object photographed twice."""
    rows = [
        SplitRow(f"{label}/{number}{side}.jpg", label, f"{label}{number}", "")
        for label in ("can", "jar")
        for number in range(num_pairs)
        for side in "ab"
    ]
    return Dataset(Path("data"), ("can", "jar"), tuple(rows))


def test_classes_that_are_hardly_trained_on_are_named_with_their_number(folder: Path) -> None:
    for extra in range(20):
        (folder / "disc" / f"more{extra}.png").write_bytes((folder / "disc" / "00.png").read_bytes())
    dataset = with_splits(scan(folder), GROUPED, seed=0)
    assert rarely_shown(dataset) == ("square (3)", "stripes (3)")
    assert rarely_shown(with_splits(twins(20), Data(val_share=0.25), seed=0)) == ()


def groups_of(dataset: Dataset, split: str) -> set[str]:
    return {row.group for row in dataset.of(split)}


def test_splits_follow_the_label_file(folder: Path) -> None:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    lines = [f"{path},{path.split('/')[0]},,{'val' if path[-6:] < '02.png' else 'train'}" for path in paths]
    (folder / "groups.csv").write_text("\n".join(["path,label,group,split", *lines]))
    dataset = with_splits(scan(folder), Data(val_share=0.9), seed=0)
    assert {row.path.split("/")[1] for row in dataset.of("val")} == {"00.png", "01.png"}
    assert len(dataset.of("train")) == 9


def test_drawn_splits_are_stratified_and_depend_on_the_seed_only(folder: Path) -> None:
    first, again, other = (with_splits(scan(folder), GROUPED, seed) for seed in (1, 1, 2))
    assert Counter(row.label for row in first.of("val")) == dict.fromkeys(LABELS, 2)
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(5))
def test_drawn_splits_never_divide_a_group(seed: int) -> None:
    dataset = with_splits(twins(10), Data(val_share=0.2, test_share=0.2), seed)
    assert Counter(row.split for row in dataset.rows) == {"train": 24, "val": 8, "test": 8}
    train, val, test = (groups_of(dataset, split) for split in ("train", "val", "test"))
    assert train.isdisjoint(val | test)
    assert val.isdisjoint(test)
    assert leak(dataset) == 0


def test_of_three_objects_that_were_photographed_often_one_is_held_out() -> None:
    """Each is more than the share that was asked for."""
    rows = [
        SplitRow(f"{label}/{number}-{view}.jpg", label, f"{label}{number}", "")
        for label in ("can", "jar")
        for number in range(3)
        for view in range(20 - number)
    ]
    dataset = with_splits(Dataset(Path("data"), ("can", "jar"), tuple(rows)), Data(val_share=0.2, test_share=0.2), 0)
    assert groups_of(dataset, "val") == {"can2", "jar2"}
    assert groups_of(dataset, "test") == {"can1", "jar1"}


def test_a_random_split_divides_them_and_its_leak_is_known() -> None:
    dataset = with_splits(twins(50), Data(val_share=0.2, split="random"), seed=0)
    # Of a held-out picture its twin is in train with a chance of 80 %.
    assert leak(dataset) == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize("num_folds", [2, 5])
def test_every_picture_is_held_out_by_exactly_one_fold(num_folds: int) -> None:
    folds = [with_splits(twins(10), GROUPED, 3, Fold(number, num_folds)) for number in range(1, num_folds + 1)]
    held_out = Counter(row.path for dataset in folds for row in dataset.of("val"))
    assert set(held_out.values()) == {1}
    assert len(held_out) == 40
    for dataset in folds:
        assert not groups_of(dataset, "train") & groups_of(dataset, "val")
        assert Counter(row.label for row in dataset.of("val")) == dict.fromkeys(("can", "jar"), 20 // num_folds)


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_test_part_is_seen_by_no_fold(*, is_listed: bool) -> None:
    """It is for one last look, whether groups.csv names it or the seed has drawn it."""
    pictures, settings = twins(10), Data(val_share=0.2, test_share=0.2)
    if is_listed:
        pictures, settings = with_splits(pictures, settings, 3), GROUPED
    folds = [with_splits(pictures, settings, 3, Fold(number, 4)) for number in range(1, 5)]
    (tested,) = {dataset.of("test") for dataset in folds}
    assert Counter(row.label for row in tested) == dict.fromkeys(("can", "jar"), 4)
    held_out = Counter(row.path for dataset in folds for row in dataset.of("val"))
    assert set(held_out.values()) == {1}
    assert held_out.keys() == {row.path for row in pictures.rows} - {row.path for row in tested}


def test_one_class_is_not_enough_to_train() -> None:
    rows = tuple(SplitRow(f"can/{number}.jpg", "can", "", "") for number in range(4))
    with pytest.raises(DatasetError, match="expected at least two classes, found only can"):
        with_splits(Dataset(Path("data"), ("can",), rows), GROUPED, 0)


def test_a_class_of_one_picture_cannot_be_held_out(folder: Path) -> None:
    for path in sorted((folder / "disc").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DatasetError, match="no pictures of disc in the train split"):
        with_splits(scan(folder), Data(val_share=0.2), 0)
