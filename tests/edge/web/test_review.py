"""Review: what is worth a look, labelled by a person, taken home to train on."""

from __future__ import annotations

import io
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from edge.clock import ReplayClock
from edge.data_folder import scan
from edge.files.pictures import PictureReader
from edge.journal import IN_MEMORY, Journal
from edge.messages import Outcome
from edge.web.jpeg import small_jpeg
from edge.web.review import Folding, Why
from tests.edge.records import a_record
from tests.edge.web.standing import StandingBin, Visitor, an_image


def test_items_are_shown_with_why_and_alike_ones_folded(standing: StandingBin, visitor: Visitor) -> None:
    sure = standing.decide(seed=1)
    first = standing.decide(Outcome.UNKNOWN, seed=2)
    again = standing.decide(Outcome.UNKNOWN, seed=2)
    other = standing.decide(Outcome.TIMEOUT, seed=3)
    folds = visitor.ask("/api/review").told["folds"]
    assert [one["ids"] for one in folds] == [[other.id], [again.id, first.id], [sure.id]]
    assert [one["why"] for one in folds] == [Why.UNKNOWN, Why.UNKNOWN, Why.SURE]
    assert folds[0]["guess"] == "metal"


def test_a_label_holds_for_the_whole_fold_and_is_in_the_journal(standing: StandingBin, visitor: Visitor) -> None:
    ids = [standing.decide(Outcome.UNKNOWN, seed=2).id for _ in range(2)]
    assert visitor.send("/api/review/label", {"ids": ids, "label": "glass"}).status == 204
    assert [entry.corrected for entry in standing.journal.decisions()] == ["glass", "glass"]
    (fold,) = visitor.ask("/api/review").told["folds"]
    assert (fold["why"], fold["label"], len(fold["ids"])) == (Why.LABELLED, "glass", 2)


@pytest.mark.parametrize("label", ["Restmüll", "plástico", "Pappe & Karton", "glass #2"])
def test_whatever_a_class_is_called_it_can_be_labelled_and_exported(
    standing: StandingBin, visitor: Visitor, tmp_path: Path, label: str
) -> None:
    record = standing.decide(Outcome.UNKNOWN, seed=2)
    assert visitor.send("/api/review/label", {"ids": [record.id], "label": label}).status == 204
    with zipfile.ZipFile(io.BytesIO(visitor.ask("/api/export.zip").body)) as archive:
        archive.extractall(tmp_path)
    assert scan(tmp_path).labels == (label,)


def test_a_correction_shows_beside_the_decision(standing: StandingBin, visitor: Visitor) -> None:
    record = standing.decide()
    visitor.send("/api/review/label", {"ids": [record.id], "label": "glass"})
    (decision,) = visitor.ask("/api/now").told["decisions"]
    assert (decision["label"], decision["corrected"], decision["is_wrong"]) == ("metal", "glass", True)


def test_what_is_said_is_told_to_whoever_looks_on_since_and_to_nobody_twice(
    standing: StandingBin, visitor: Visitor
) -> None:
    ids = [standing.decide(Outcome.UNKNOWN, seed=2).id for _ in range(2)]
    assert visitor.ask("/api/now").told["said"] == {"number": 0, "words": []}
    visitor.send("/api/review/label", {"ids": ids, "label": "glass"})
    visitor.send("/api/review/label", {"ids": ids[:1], "label": None})
    last = {"id": ids[0], "label": None}
    words = [*({"id": one, "label": "glass"} for one in ids), last]
    assert visitor.ask("/api/now?said=0").told["said"] == {"number": 3, "words": words}
    assert visitor.ask("/api/now?said=2").told["said"] == {"number": 3, "words": [last]}
    for number in (-1, 3, 99):
        assert visitor.ask(f"/api/now?said={number}").told["said"] == {"number": 3, "words": []}


def test_wrong_without_a_label_waits_for_one(standing: StandingBin, visitor: Visitor) -> None:
    record = standing.decide()
    assert visitor.send("/api/review/label", {"ids": [record.id], "label": None}).status == 204
    (fold,) = visitor.ask("/api/review").told["folds"]
    assert fold["why"] == Why.WRONG


def test_what_the_journal_does_not_hold_changes_nothing(standing: StandingBin, visitor: Visitor) -> None:
    known = standing.decide().id
    assert visitor.send("/api/review/label", {"ids": [known, "0" * 26], "label": "glass"}).status == 404
    assert standing.journal.decisions()[0].corrected is None


def test_the_export_is_a_data_folder_with_alike_pictures_in_one_group(
    standing: StandingBin, visitor: Visitor, tmp_path: Path
) -> None:
    alike = [standing.decide(Outcome.UNKNOWN, seed=2).id for _ in range(2)]
    other = standing.decide(Outcome.UNKNOWN, seed=3).id
    standing.decide(seed=4)
    assert visitor.ask("/api/export.zip").status == 404, "nothing is labelled yet"
    visitor.send("/api/review/label", {"ids": alike, "label": "glass"})
    visitor.send("/api/review/label", {"ids": [other], "label": "old battery"})
    answer = visitor.ask("/api/export.zip")
    assert "reviewed.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "data")
    dataset = scan(tmp_path / "data")
    assert dataset.labels == ("glass", "old battery")
    groups = {row.path: row.group for row in dataset.rows}
    assert groups == {
        f"glass/{alike[0]}.jpg": alike[1],
        f"glass/{alike[1]}.jpg": alike[1],
        f"old battery/{other}.jpg": other,
    }
    assert (tmp_path / "data" / f"glass/{alike[0]}.jpg").read_bytes() == standing.pictures.find(alike[0])


def test_what_was_labelled_long_ago_is_exported_as_long_as_its_picture_is_kept(tmp_path: Path) -> None:
    with closing(Journal(IN_MEMORY, ReplayClock())) as journal:
        records = [a_record(seq, bin_name="recycling" if seq != 4 else None) for seq in range(1, 703)]
        for record in records:
            journal.append(record)
            (tmp_path / f"{record.id}.sure.jpg").write_bytes(small_jpeg(an_image(1), 160))
        (tmp_path / f"{records[1].id}.sure.jpg").unlink()
        folding = Folding(journal, PictureReader(tmp_path))
        assert not folding.has_labelled()
        for record in records[:3]:
            journal.correct(record.id, "glass")

        assert folding.has_labelled()
        (fold,) = folding.labelled()
        assert {entry.id for entry in fold.entries} == {records[0].id, records[2].id}
        shown = {entry.id for one in folding.folds() for entry in one.entries}
        assert len(shown) == 600
        assert records[3].id in shown, "what it did not know is shown before newer ones that it was sure of"


def test_a_label_that_would_be_a_path_is_refused(standing: StandingBin, visitor: Visitor) -> None:
    record = standing.decide()
    for label in ("../../etc", "a/b", "", ".hidden", "x" * 201, "a\0b"):
        assert visitor.send("/api/review/label", {"ids": [record.id], "label": label}).status == 400
    assert standing.journal.decisions()[0].corrected is None
