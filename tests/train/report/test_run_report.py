from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.errors import MissingInputError
from train.measuring.metrics import Evaluation

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

Trained = tuple[Path, Evaluation]


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
    assert f"sorter train {shapes} --recipe {trained[0]} --weights imagenet --seed 1 --out AGAIN" in document
    assert "&quot;batch_size&quot;: 12" in document


def test_every_condition_has_its_row(document: str) -> None:
    for condition in ("as it is", "white balance +15 %", "exposure -20 %", "small item", "other background"):
        assert condition in document


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    from train.report.run_report import write_report  # noqa: PLC0415

    with pytest.raises(MissingInputError, match=r"no run\.json"):
        write_report(tmp_path)
