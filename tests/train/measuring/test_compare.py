from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.bundle import DEFAULT_BUNDLE
from edge.errors import InvalidDataError, MissingInputError, UsageError
from train.cli import compare
from train.measuring.compare import load_contenders, rows, to_json, warnings
from train.report.compare_report import compare_page

LABELS = ("can", "jar")


def write_run(folder: Path, *, accuracy: float = 0.75, sha: str = "0" * 64) -> Path:
    """A run directory as training leaves it, with a model that nobody loads."""
    folder.mkdir(parents=True)
    run = {
        "schema": 1,
        "created_at": "2026-01-01T00:00:00+00:00",
        "labels": LABELS,
        "input": {"height_px": 64, "width_px": 64},
        "backbone": "cnn",
        "recipe": "cnn",
        "settings": {},
        "weights": "none",
        "seed": 0,
        "versions": {},
        "data": {"root": "/data", "num_pictures": 8, "num_left_out": 0, "sha256": sha},
        "metrics": {"accuracy": accuracy, "train_accuracy": 0.875, "train_loss": 0.25, "val_loss": 0.5, "ece": 0.05},
        "cost": {"training_s": 90.0, "num_parameters": 1_500_000, "num_multiply_adds": 250_000_000},
    }
    metrics = {
        "accuracy": accuracy,
        "accuracy_ci95": [0.3, 0.95],
        "macro_f1": 0.7333,
        "per_class": {
            "can": {"precision": 0.6667, "recall": 1.0, "f1": 0.8, "support": 2},
            "jar": {"precision": 1.0, "recall": 0.5, "f1": 0.6667, "support": 2},
        },
        "confusion_matrix": [[2, 0], [1, 1]],
    }
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "history.csv").write_text(
        "epoch,loss,accuracy,val_loss,val_accuracy\n1,0.9,0.5,0.8,0.5\n2,0.5,0.7,0.5,0.75\n"
    )
    (folder / "model.keras").write_bytes(b"x" * 2_000_000)
    return folder


def test_figures_stand_side_by_side(tmp_path: Path) -> None:
    found = load_contenders([write_run(tmp_path / "one"), write_run(tmp_path / "two", accuracy=0.5)], [])
    table = dict(rows(found))
    assert table["validation accuracy"] == ["75.0%", "50.0%"]
    assert table["gap, points"] == ["12.5", "37.5"]
    assert table["weighted F1"] == ["73.3%", "73.3%"]
    assert table["parameters, M"] == ["1.50", "1.50"]
    assert table["training, min"] == ["1.5", "1.5"]
    assert table["Keras file, MB"] == ["2.0", "2.0"]
    assert table["inference, ms"] == ["-", "-"]


def test_runs_of_different_classes_are_told_as_that(tmp_path: Path) -> None:
    one, other = write_run(tmp_path / "one"), write_run(tmp_path / "other", sha="1" * 64)
    told = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**told, "labels": ["can", "jar", "lid"]}))
    (warning,) = warnings(load_contenders([one, other], []))
    assert "different classes" in warning


def test_a_bundle_brings_size_and_latency(tmp_path: Path) -> None:
    (found,) = load_contenders([write_run(tmp_path / "one")], [DEFAULT_BUNDLE])
    assert found.tflite_mb == pytest.approx((DEFAULT_BUNDLE / "model.tflite").stat().st_size / 1e6)
    assert found.latency_ms is not None
    assert found.latency_ms > 0


def test_bundles_must_be_as_many_as_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one a run, 2 in all, found 1"):
        load_contenders([write_run(tmp_path / "one"), write_run(tmp_path / "two")], [DEFAULT_BUNDLE])


def test_runs_of_other_pictures_are_compared_with_a_warning(tmp_path: Path) -> None:
    same = load_contenders([write_run(tmp_path / "a"), write_run(tmp_path / "b")], [])
    other = load_contenders([tmp_path / "a", write_run(tmp_path / "c", sha="1" * 64)], [])
    assert warnings(same) == []
    assert "do not share pictures" in warnings(other)[0]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    found = load_contenders([write_run(tmp_path / "a" / "run"), write_run(tmp_path / "b" / "run")], [])
    assert [one.name for one in found] == ["a/run", "b/run"]
    deep = [write_run(tmp_path / "x" / "a" / "run"), tmp_path / "a" / "run", tmp_path / "b" / "run", tmp_path / "b/run"]
    found = load_contenders(deep, [])
    top = tmp_path.name
    assert [one.name for one in found] == ["x/a/run", f"{top}/a/run", f"{top}/b/run", f"{top}/b/run (2)"]
    assert compare_page(found).count("<svg") == 1 + 2 * 4 + 4  # each has its curves


def test_the_answer_is_one_json_object(tmp_path: Path) -> None:
    result = CliRunner().invoke(compare, [str(write_run(tmp_path / "one")), "--json"])
    answer = json.loads(result.stdout)
    assert answer == json.loads(json.dumps(to_json(load_contenders([tmp_path / "one"], []))))
    assert answer["runs"][0]["confusion_matrix"] == [[2, 0], [1, 1]]


def test_the_page_holds_all_of_it(tmp_path: Path) -> None:
    found = load_contenders([write_run(tmp_path / "one"), write_run(tmp_path / "two")], [])
    document = compare_page(found)
    assert document.count("<svg") == 1 + 2 * 2 + 2  # accuracies, two curves a run, a matrix a run
    result = CliRunner().invoke(
        compare, [str(tmp_path / "one"), str(tmp_path / "two"), "--html", str(tmp_path / "c.html")]
    )
    assert result.exception is None
    assert (tmp_path / "c.html").read_text() == document


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no run\.json"):
        load_contenders([tmp_path], [])
    folder = write_run(tmp_path / "one")
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(InvalidDataError, match="train again"):
        load_contenders([folder], [])
    shutil.rmtree(folder)
