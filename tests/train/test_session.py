from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.run import load_run, load_splits
from tests.train.test_resume import RECIPE
from train.cli import train
from train.report.run_report import write_report

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.mark.timeout(600)
def test_folds_hold_every_picture_out_once_and_their_answers_are_pooled(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(RECIPE)
    arguments = [shapes, "--recipe", tmp_path / "small.toml", "--out", tmp_path / "cv", "--weights", "none"]
    options = ["--folds", "2", "--epochs", "1", "--tensorboard", "--no-report", "--json"]
    result = CliRunner().invoke(train, [str(item) for item in [*arguments, *options]])
    assert result.exception is None
    answer = json.loads(result.stdout)
    assert answer["num_images"] == 48
    held_out = Counter(
        row.path for fold in ("fold1", "fold2") for row in load_splits(tmp_path / "cv" / fold) if row.split == "val"
    )
    assert len(held_out) == 48
    assert set(held_out.values()) == {1}
    recorded = json.loads((tmp_path / "cv" / "folds.json").read_text())
    assert recorded["accuracy"] == answer["accuracy"]
    assert sum(recorded["fold_accuracies"]) / 2 == pytest.approx(answer["accuracy"], abs=0.01)
    assert list((tmp_path / "cv" / "fold1" / "tensorboard").iterdir())
    fold = load_run(tmp_path / "cv" / "fold2").fold
    assert fold is not None
    assert (fold.number, fold.num_folds) == (2, 2)
    report = write_report(tmp_path / "cv" / "fold2").read_text(encoding="utf-8")
    assert "--folds 2 --out AGAIN" in report
    assert "This is fold 2 of 2" in report
