from __future__ import annotations

import html
import json
import re
import shlex
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import gather, sorter
from edge.errors import SorterError
from edge.run import SPLITS_FILE, load_run, load_splits
from tests.train.test_resume import RECIPE
from train.cli import average

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def runs(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on the same splits, and a third that held out what it trained on."""
    from train.fitting.fit import train  # noqa: PLC0415, seconds to import
    from train.recipes import load_recipe  # noqa: PLC0415

    root = tmp_path_factory.mktemp("soup")
    (root / "small.toml").write_text(RECIPE)
    slow, quick, other = (root / name for name in ("slow", "quick", "other-splits"))
    for folder, rate in ((slow, "1e-3"), (quick, "3e-3")):
        settings = ["phases.0.epochs=1", f"phases.0.learning_rate={rate}"]
        recipe = load_recipe(str(root / "small.toml"), settings)
        train(shapes, folder, recipe, recipe_name="small", weights="none", seed=1)
    shutil.copytree(slow, other)
    splits = (slow / SPLITS_FILE).read_text(encoding="utf-8")
    swapped = re.sub(r"(train|val)$", lambda found: {"train": "val", "val": "train"}[found[1]], splits, flags=re.M)
    (other / SPLITS_FILE).write_text(swapped, encoding="utf-8")
    return [slow, quick, other]


def test_an_average_is_a_run_whose_weights_are_the_mean_by_shares(runs: list[Path], tmp_path: Path) -> None:
    import keras  # noqa: PLC0415, seconds to import

    slow, quick, _ = runs
    result = CliRunner().invoke(
        average, [str(slow), str(quick), "--share", "3", "--share", "1", "--out", str(tmp_path / "mean"), "--json"]
    )
    assert result.exception is None
    weights = [keras.models.load_model(run / "model.keras").get_weights() for run in (slow, quick, tmp_path / "mean")]
    for one, other, mean in zip(*weights, strict=True):
        np.testing.assert_allclose(mean, 0.75 * one + 0.25 * other, rtol=1e-5, atol=1e-7)
    run = load_run(tmp_path / "mean")
    assert run.weights == "0.75 x slow + 0.25 x quick"
    assert [(part.path, part.share) for part in run.averaged] == [(str(slow), 0.75), (str(quick), 0.25)]
    assert run.averaged[0].sha256 == sha256((slow / "model.keras").read_bytes()).hexdigest()
    assert load_splits(tmp_path / "mean") == load_splits(slow)
    assert json.loads(result.stdout)["accuracy"] == run.metrics["accuracy"]


def test_the_reports_own_line_makes_a_run_and_a_mean_again(runs: list[Path], tmp_path: Path) -> None:
    import keras  # noqa: PLC0415, seconds to import

    from train.report.run_report import write_report  # noqa: PLC0415, as above

    gather()
    mean = tmp_path / "the mean"
    made = CliRunner().invoke(average, [*map(str, runs[:2]), "--share", "3", "--share", "1", "--out", str(mean)])
    assert f"next: sorter convert '{mean}' --out BUNDLE" in made.stdout
    for run, out in ((runs[1], tmp_path / "run-again"), (mean, tmp_path / "mean-again")):
        (line,) = re.findall("<pre>(sorter .*?)</pre>", write_report(run).read_text(encoding="utf-8"))
        _, *words = shlex.split(html.unescape(line.replace("AGAIN", str(out))))
        options = ["--no-report"] if words[0] == "train" else []
        result = CliRunner().invoke(sorter, [*words, *options])
        assert result.exception is None, result.output
        weights = [keras.models.load_model(one / "model.keras").get_weights() for one in (run, out)]
        for one, again in zip(*weights, strict=True):
            np.testing.assert_allclose(again, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("chosen", "options", "expected"),
    [
        ((0,), (), "two runs or more"),
        ((0, 1), ("--share", "1"), "a share above 0 for each of 2 runs"),
        ((0, 1), ("--share", "1", "--share", "0"), "found 1, 0"),
        ((0, 1), ("--share", "1", "--share", "nan"), "found 1, nan"),
        ((0, 2), (), "could not be judged: train on the same splits"),
    ],
)
def test_what_cannot_be_averaged_is_refused_before_anything_is_written(
    runs: list[Path], tmp_path: Path, chosen: tuple[int, ...], options: tuple[str, ...], expected: str
) -> None:
    out = tmp_path / "mean"
    result = CliRunner().invoke(average, [*(str(runs[index]) for index in chosen), *options, "--out", str(out)])
    assert isinstance(result.exception, SorterError)
    assert expected in str(result.exception)
    assert not out.exists()


def test_an_average_never_replaces_a_run(runs: list[Path]) -> None:
    before = (runs[1] / "run.json").read_bytes()
    result = CliRunner().invoke(average, [str(runs[0]), str(runs[1]), "--out", str(runs[1])])
    assert isinstance(result.exception, SorterError)
    assert "already holds a run" in str(result.exception)
    assert (runs[1] / "run.json").read_bytes() == before


def test_pictures_that_were_moved_away_are_named_with_the_run_that_used_them(runs: list[Path], tmp_path: Path) -> None:
    moved = shutil.copytree(runs[0], tmp_path / "moved")
    gone = tmp_path / "photos"
    record = json.loads((moved / "run.json").read_text(encoding="utf-8"))
    (moved / "run.json").write_text(json.dumps({**record, "data": {**record["data"], "root": str(gone)}}))
    result = CliRunner().invoke(average, [str(moved), str(runs[1]), "--out", str(tmp_path / "mean")])
    assert isinstance(result.exception, SorterError)
    assert re.match(
        rf"{gone} has lost \d+ pictures of {moved} \(.*put back what is gone, or a link to it$", str(result.exception)
    )
