from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import JsonValue

from edge.errors import DatasetError, TryAgainError, UsageError
from edge.run import load_run, load_splits
from tests.train.test_resume import RECIPE
from train.cli import train
from train.fitting.claim import claimed
from train.report.run_report import write_report

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture(scope="module")
def folds(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments of a cross-validation that is finished."""
    folder = tmp_path_factory.mktemp("folds")
    (folder / "small.toml").write_text(RECIPE)
    given = [shapes, "--recipe", folder / "small.toml", "--out", folder / "cv", "--weights", "none"]
    options = ["--folds", "2", "--epochs", "1", "--tensorboard", "--no-report", "--json"]
    arguments = [*map(str, given), *options]
    result = CliRunner().invoke(train, arguments)
    assert result.exception is None
    (folder / "answer.json").write_text(result.stdout)
    return arguments


def test_folds_hold_every_picture_out_once_and_their_answers_are_pooled(folds: list[str]) -> None:
    out = Path(folds[4])
    answer = json.loads((out.parent / "answer.json").read_text())
    assert answer["num_images"] == 48
    held_out = Counter(row.path for fold in ("fold1", "fold2") for row in load_splits(out / fold) if row.split == "val")
    assert len(held_out) == 48
    assert set(held_out.values()) == {1}
    recorded = json.loads((out / "folds.json").read_text())
    assert recorded["accuracy"] == answer["accuracy"]
    assert sum(recorded["fold_accuracies"]) / 2 == pytest.approx(answer["accuracy"], abs=0.01)
    assert list((out / "fold1" / "tensorboard").iterdir())
    fold = load_run(out / "fold2").fold
    assert fold is not None
    assert (fold.number, fold.num_folds) == (2, 2)
    report = write_report(out / "fold2").read_text(encoding="utf-8")
    assert "--folds 2 --out AGAIN" in report
    assert "This is fold 2 of 2" in report


def test_a_cross_validation_that_is_finished_is_not_done_again(folds: list[str]) -> None:
    answer = json.loads((Path(folds[4]) / "folds.json").read_text())
    reported = [argument for argument in folds if argument != "--no-report"]  # as if killed before its reports
    again = json.loads(CliRunner().invoke(train, [*reported, "--resume"]).stdout)
    assert again["accuracy"] == answer["accuracy"]
    assert all((Path(folds[4]) / fold / "report.html").is_file() for fold in ("fold1", "fold2"))
    with pytest.raises(UsageError, match="fold1 already holds a run"):
        CliRunner().invoke(train, folds, catch_exceptions=False)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--seed", "3", "fold1 belongs to another run, not of the same seed"),
        ("--folds", "3", "fold1 belongs to another run, not of the same fold"),
        ("--epochs", "2", "fold1 belongs to another run, not of the same recipe: --resume needs the same"),
    ],
)
def test_finished_folds_of_another_run_are_never_pooled(
    folds: list[str], option: str, value: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(train, [*folds, "--resume", option, value], catch_exceptions=False)
    assert not (Path(folds[4]) / "fold3").exists()


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("weights", "imagenet", "weights"),
        ("weights_sha256", "0" * 64, "weights"),
        ("teachers", [{"path": "t", "sha256": "0" * 64}], "teachers"),
        ("data", {"root": "", "num_pictures": 48, "num_left_out": 0, "sha256": "0" * 64}, "pictures"),
    ],
)
def test_a_fold_of_other_weights_teachers_or_pictures_is_never_pooled(
    folds: list[str], tmp_path: Path, key: str, value: JsonValue, name: str
) -> None:
    other = shutil.copytree(folds[4], tmp_path / "other")
    recorded = json.loads((other / "fold2" / "run.json").read_text())
    (other / "fold2" / "run.json").write_text(json.dumps({**recorded, key: value}))
    with pytest.raises(UsageError, match=f"fold2 belongs to another run, not of the same {name}"):
        CliRunner().invoke(train, [*folds, "--resume", "--out", str(other)], catch_exceptions=False)


def test_a_fold_of_a_sorter_that_recorded_none_is_refused(folds: list[str], tmp_path: Path) -> None:
    old = shutil.copytree(folds[4], tmp_path / "old")
    recorded = json.loads((old / "fold1" / "run.json").read_text())
    del recorded["fold"]
    (old / "fold1" / "run.json").write_text(json.dumps(recorded))
    with pytest.raises(UsageError, match=r"fold1 does not say which fold it held out.* remove it"):
        CliRunner().invoke(train, [*folds, "--resume", "--out", str(old)], catch_exceptions=False)


def test_more_folds_than_objects_are_refused_before_anything_is_trained(folds: list[str], tmp_path: Path) -> None:
    arguments = [*folds, "--folds", "17", "--out", str(tmp_path / "cv")]
    with pytest.raises(DatasetError, match=r"17 folds need as many .* are only 16: give at most --folds 16"):
        CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert not (tmp_path / "cv").exists()


def test_a_second_cross_validation_into_one_directory_is_refused(folds: list[str], tmp_path: Path) -> None:
    with claimed(tmp_path), pytest.raises(TryAgainError, match="another sorter is training into"):
        CliRunner().invoke(train, [*folds, "--out", str(tmp_path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
