from __future__ import annotations

import csv
import json
import re
import shutil
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import InvalidDataError, MissingInputError, StorageError
from edge.run import MODEL_FILE, PREDICTIONS_FILE, load_splits
from train.cli import report
from train.fitting.threads import cpu_threads
from train.measuring.metrics import Evaluation

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

Trained = tuple[Path, Evaluation]
T = TypeVar("T")


@pytest.fixture(scope="module")
def document(trained: Trained) -> str:
    from train.report.run_report import write_report  # noqa: PLC0415, seconds to import

    path = write_report(trained[0])
    text = path.read_text(encoding="utf-8")
    path.unlink()  # other tests look at what the run itself left
    return text


@pytest.mark.parametrize(
    "heading",
    [
        "Curves",
        "Confusion matrix",
        "Classes, with 95 % intervals",
        "How honest its scores are",
        "Under other lamps, distances and grounds",
        "istakes",
        "Background test",
        "Data",
        "To do it again",
    ],
)
def test_nothing_is_missing(document: str, heading: str) -> None:
    assert any(heading in found for found in re.findall("<h2>(.*?)</h2>", document))


def test_it_opens_anywhere(document: str) -> None:
    # Everything is inside: no address but those that name SVG's grammar, no script, no style sheet.
    addresses = set(re.findall(r"https?://[^\s\"'<]+", document))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|link|iframe)", document)
    sources = re.findall(r'src="([^"]*)', document)
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_it_says_how_to_do_the_run_again(document: str, trained: Trained, shapes: Path) -> None:
    again = f"sorter train {shapes} --recipe {trained[0]} --weights imagenet --seed 1 --threads {cpu_threads()}"
    assert f"{again} --out AGAIN" in document
    assert "&quot;batch_size&quot;: 12" in document


def test_every_condition_has_its_row(document: str) -> None:
    for condition in ("as it is", "white balance +15 %", "exposure -20 %", "small item", "other background"):
        assert condition in document


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    with pytest.raises(MissingInputError, match=r"no run\.json"):
        write_report(tmp_path)


def moved(run: Path, pictures: Path, out: Path) -> Path:
    """The run once more, in `out`, as if it had been trained on the pictures at that place."""
    shutil.copytree(run, out)
    told = json.loads((out / "run.json").read_text(encoding="utf-8"))
    told["data"]["root"] = str(pictures)
    (out / "run.json").write_text(json.dumps(told), encoding="utf-8")
    return out


def test_of_large_pictures_none_is_kept(trained: Trained, tmp_path: Path) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    splits = load_splits(trained[0])
    for row in splits:
        (tmp_path / "large" / row.path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "large" / row.path), np.full((1000, 1000, 3), 200, np.uint8))
    kept_bytes: list[list[int]] = []

    def progress(things: Sequence[T]) -> Iterator[T]:
        kept_bytes.append([])
        for thing in things:
            yield thing
            kept_bytes[-1].append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        write_report(moved(trained[0], tmp_path / "large", tmp_path / "run"), progress)
    finally:
        tracemalloc.stop()
    assert [len(kept) for kept in kept_bytes] == [len(splits), sum(row.split == "val" for row in splits)]
    for kept in kept_bytes:
        assert kept[-1] - kept[0] < 3_000_000  # the pixels of one


def test_no_report_without_pictures_replaces_one_that_shows_them(trained: Trained, tmp_path: Path) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    (tmp_path / "emptied").mkdir()
    run = moved(trained[0], tmp_path / "emptied", tmp_path / "run")
    (run / "report.html").write_text("with pictures", encoding="utf-8")
    with pytest.raises(MissingInputError, match=r"lies in .*emptied any more.*report .* --data"):
        write_report(run)
    assert (run / "report.html").read_text(encoding="utf-8") == "with pictures"


def test_pictures_that_were_moved_are_found_where_they_lie_now(
    trained: Trained, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = moved(trained[0], tmp_path / "emptied", tmp_path / "run")
    monkeypatch.chdir(shapes)
    told = CliRunner().invoke(report, [str(run), "--data", "."])
    assert told.exit_code == 0, told.output
    document = (run / "report.html").read_text(encoding="utf-8")
    assert f" on {shapes.name}</h1>" in document
    assert "Background test" in document
    assert "Missing above" not in document
    assert f"sorter train {shapes} --recipe {run}" in document


def test_pictures_that_are_missing_are_told_and_are_no_mistakes_that_nobody_made(
    trained: Trained, shapes: Path, tmp_path: Path
) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    run, splits = moved(trained[0], tmp_path / "left", tmp_path / "run"), load_splits(trained[0])
    with (run / PREDICTIONS_FILE).open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    with (run / PREDICTIONS_FILE).open("w", newline="", encoding="utf-8") as file:
        turned = [[*line[:3], *line[4:], line[3]] for line in lines]  # so that some are wrong
        csv.writer(file).writerows([head, *turned])
    first = next(row.path for row in splits if row.split == "train")
    (tmp_path / "left" / first).parent.mkdir(parents=True)
    shutil.copy(shapes / first, tmp_path / "left" / first)

    document = write_report(run).read_text(encoding="utf-8")

    assert f"Missing above: {len(splits) - 1} of {len(splits)}" in document
    assert "None on the held-out pictures" not in document


def test_a_damaged_network_is_told_as_that(trained: Trained, shapes: Path, tmp_path: Path) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    run = moved(trained[0], shapes, tmp_path / "run")
    (run / MODEL_FILE).write_bytes((run / MODEL_FILE).read_bytes()[:-1000])
    with pytest.raises(InvalidDataError, match="is not a whole Keras file"):
        write_report(run)


def test_a_report_that_cannot_be_written_leaves_a_finished_run_and_says_how_to_write_it(
    trained: Trained, shapes: Path, tmp_path: Path
) -> None:
    """Whoever reads of a full disk and tries --resume is told that the directory already holds a run."""
    from train.report.run_report import write_report  # noqa: PLC0415

    run = moved(trained[0], shapes, tmp_path / "my run")
    (run / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"the run itself is finished: make room, then `sorter report '.*my run'`"):
        write_report(run)
