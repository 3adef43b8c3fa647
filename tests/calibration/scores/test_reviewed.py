"""Reviewed items: a real journal and a real ring of pictures, labelled as a person does, judged by the commands."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from calibration.cli import calibrate
from calibration.scores.reviewed import pictures_of, read_review
from calibration.site.site_file import SiteFolder
from edge.clock import ReplayClock
from edge.errors import MissingInputError, UsageError
from edge.files.pictures import PictureReader, PictureRing, PictureSettings
from edge.journal import Filter, Journal, JournalReader
from edge.messages import Decision, Frame, Image, Outcome, Phase, Prediction, Presence, Sight
from edge.records import Recorder, ReplayedIds
from tests.edge.records import a_decision

LABELS = ("glass", "metal", "paper")
UNSURE = replace(a_decision(), outcome=Outcome.UNKNOWN, bin=None, confidence=0.4, margin=0.1)
SURE = replace(a_decision(), confidence=0.99, margin=0.9)


def an_item(seed: int) -> Image:
    """Coarse blots: unlike any other seed's, and much the same after JPEG."""
    blots = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), np.uint8)
    return np.asarray(cv2.resize(blots, (72, 72), interpolation=cv2.INTER_CUBIC), np.uint8)


class Bin:
    """A bin's folder as it is left behind: `decide` writes decisions down, with pictures."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.ring = folder / "journal.sqlite", folder / "pictures"
        clock = ReplayClock()
        self._journal = Journal(self.journal, clock)
        self._recorder = Recorder(clock, ReplayedIds(seed=1), "model@1", None)

    def decide(self, *decisions: tuple[Decision, Image], labels: list[str | None]) -> list[str]:
        ids = []
        # Longer than the ring's queue would lose pictures, as on a bin that has no time.
        for (decision, image), label in zip(decisions, labels, strict=True):
            ring = PictureRing(PictureSettings(self.ring, min_free_bytes=0))
            ring.start()
            seq = self._journal.next_seq
            record = self._recorder.record(replace(decision, item_id=seq), seq, commanded=False)
            frame, scores = Frame(0, 0.0, image), np.array([1.0], np.float32)
            ring.see(Sight(frame, Presence(Phase.SETTLED), seq, None, Prediction(scores)))
            self._journal.append(record)
            ring.tell(record)
            ring.stop(30)
            if label is not None:
                self._journal.correct(record.id, label)
            ids.append(record.id)
        return ids

    def close(self) -> None:
        self._journal.close()


@pytest.fixture
def left_behind(tmp_path: Path) -> Bin:
    return Bin(tmp_path)


def run(site: Path, one: Bin, *arguments: str) -> Result:
    places = ("--set", f"journal.path={one.journal}", "--set", f"pictures.path={one.ring}")
    return CliRunner().invoke(calibrate, [*arguments, "--site", str(site), *places])


def test_what_a_person_labelled_is_found_with_its_picture_and_alike_ones_are_one_item(left_behind: Bin) -> None:
    same, other = an_item(1), an_item(2)
    told = left_behind.decide(
        (UNSURE, same), (UNSURE, same), (UNSURE, other), (SURE, other), labels=["glass", "glass", "metal", None]
    )
    left_behind.close()
    ring = PictureReader(left_behind.ring)
    review = read_review(left_behind.journal, ring, LABELS)
    assert [(one.record_id, one.label) for one in review.items] == list(
        zip(told, ["glass", "glass", "metal"], strict=False)
    )
    assert [one.group for one in review.items] == [told[0], told[0], told[2]]
    picture = next(pictures_of(review, ring))
    assert picture.label == "glass"
    # JPEG at quality 85, smooth blots.
    assert np.abs(picture.image.astype(int) - same).mean() < 6


def test_what_cannot_be_judged_is_left_out_in_words(left_behind: Bin) -> None:
    several = replace(UNSURE, outcome=Outcome.MULTIPLE)
    items = [(UNSURE, an_item(1)), (several, an_item(2)), (UNSURE, an_item(3)), (UNSURE, an_item(4))]
    told = left_behind.decide(*items, labels=["battery", "glass", "glass", "metal"])
    left_behind.close()
    next(left_behind.ring.glob(f"{told[2]}*")).unlink()
    review = read_review(left_behind.journal, PictureReader(left_behind.ring), LABELS)
    assert [one.record_id for one in review.items] == [told[3]]
    assert review.left_out == (
        "1 reviewed items left out: this bin does not know battery; `sorter teach` teaches it",
        "1 reviewed items left out: they were several, or gone too early",
        "1 reviewed items left out: their pictures made room for newer ones",
    )


@pytest.mark.parametrize(
    ("decided", "labelled", "word"),
    [
        ([UNSURE, SURE, SURE], [0], "hard ones"),
        ([UNSURE, SURE], [1], "easy ones"),
        ([UNSURE, SURE], [0, 1], ""),
    ],
)
def test_a_choice_of_items_that_is_no_fair_one_is_named(
    left_behind: Bin, decided: list[Decision], labelled: list[int], word: str
) -> None:
    labels = ["metal" if index in labelled else None for index in range(len(decided))]
    left_behind.decide(*((one, an_item(index)) for index, one in enumerate(decided)), labels=labels)
    left_behind.close()
    skew = read_review(left_behind.journal, PictureReader(left_behind.ring), LABELS).skew
    assert (skew is not None) == bool(word)
    assert word in (skew or "")


def test_nothing_reviewed_says_where_to_label(left_behind: Bin) -> None:
    left_behind.decide((UNSURE, an_item(1)), labels=[None])
    left_behind.close()
    with pytest.raises(MissingInputError, match="found none: label some in the review part of the page"):
        read_review(left_behind.journal, PictureReader(left_behind.ring), LABELS)


def test_a_bin_that_never_ran_has_nothing_to_review(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"a bin that runs writes one; .* --set journal\.path"):
        read_review(tmp_path / "journal.sqlite", PictureReader(tmp_path), LABELS)


def test_both_steps_take_reviewed_items(left_behind: Bin, tmp_path: Path) -> None:
    decided = [(UNSURE if index % 3 else SURE, an_item(index)) for index in range(24)]
    left_behind.decide(*decided, labels=[LABELS[index % 3] for index in range(24)])
    left_behind.close()
    site = tmp_path / "site"
    (dear := tmp_path / "leaving_is_dear.toml").write_text("leave_cost = 5\n", encoding="utf-8")
    for step in (["temperature"], ["thresholds", "--costs", str(dear)]):
        result = run(site, left_behind, *step, "--reviewed", "--yes", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["remarks"][0] == "That is few: take the figures as rough until there are 100."
    kept = SiteFolder(site).read()
    assert kept.temperature is not None
    assert kept.temperature.num_pictures == 24
    assert kept.thresholds is not None


def test_pictures_or_reviewed_but_one_of_them(left_behind: Bin, tmp_path: Path) -> None:
    left_behind.close()
    for arguments in ([], [str(tmp_path), "--reviewed"]):
        refused = run(tmp_path / "site", left_behind, "temperature", *arguments).exception
        assert isinstance(refused, UsageError)


def test_the_journal_lists_what_was_labelled_and_what_was_not(left_behind: Bin) -> None:
    told = left_behind.decide((SURE, an_item(1)), (SURE, an_item(2)), labels=["metal", None])
    left_behind.close()
    with closing(JournalReader(left_behind.journal)) as reader:
        for is_labelled, found in ((True, told[:1]), (False, told[1:]), (None, told)):
            assert [one.id for one in reader.decisions(Filter(is_labelled=is_labelled))] == found
