"""A lesson on a bin at work: its site file is read again between two items, and the next one is decided as taught."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.page import PageTeacher
from edge.assembly.page import ReloadingTeacher
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.clock import ReplayClock
from edge.config import Config, with_site
from edge.files.places import state_folder
from edge.journal import JournalReader
from edge.messages import Image, Sight
from edge.preprocess import crop, square_around
from edge.records import DecisionRecord
from edge.running.bin import RunningBin
from edge.service import Ending, Requests, open_bin, open_rehearsal, serve
from edge.site import default_site

BUNDLE = load_bundle(DEFAULT_BUNDLE)
NUM_LOOKS = 5


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A bin that was never calibrated, before a film of two items; its state lies in the test's folder."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    bins = {f"for-{label}": {"labels": [label]} for label in BUNDLE.manifest.labels}
    return Config.model_validate({"bins": bins, "camera": {"backend": "simulated", "num_items": 2}})


def looks_at_first(config: Config) -> tuple[list[Image], str]:
    """What the page would have looked at while the film's first item lay there, and what the bin calls it."""
    looks: list[Image] = []
    records: list[DecisionRecord] = []

    def look(sight: Sight) -> None:
        if sight.box is not None and not records and len(looks) < NUM_LOOKS:
            height, width = sight.frame.image.shape[:2]
            looks.append(crop(sight.frame.image, square_around(sight.box, width, height)).copy())

    with open_rehearsal(config, ReplayClock(), [records.append], observers=[look]) as loop:
        loop.run_to_end()
    return looks, str(records[0].decision.label)


class TaughtWhileItLies:
    """A bin that is taught while its first item lies there undecided."""

    def __init__(self, bin_: RunningBin, teach: list[tuple[str, list[Image]]], teacher: ReloadingTeacher) -> None:
        self._bin, self._teach, self._teacher = bin_, teach, teacher

    @property
    def is_idle(self) -> bool:
        return self._bin.is_idle

    def step(self) -> bool:
        goes_on = self._bin.step()
        if self._teach and not self._bin.is_idle:
            self._teacher.teach(*self._teach.pop())
        return goes_on

    def finish(self) -> None:
        self._bin.finish()


def test_the_next_item_is_decided_as_taught_and_none_is_lost(config: Config) -> None:
    looks, before = looks_at_first(config)
    taught = next(label for label in BUNDLE.manifest.labels if label != before)
    requests, lessons, told = Requests(), [(taught, looks)], []
    teacher = ReloadingTeacher(PageTeacher(BUNDLE, default_site()), requests.reload)
    settings, endings = config, []

    def reread() -> bool:
        nonlocal settings
        settings = with_site(config)
        return True

    while not endings or endings[-1] is Ending.RELOADED:
        with open_bin(settings, ReplayClock(), [told.append], on_new_model=requests.reload) as bin_:
            endings.append(serve(TaughtWhileItLies(bin_, lessons, teacher), requests, reread))

    assert endings == [Ending.RELOADED, Ending.SOURCE_ENDED]
    # The one that lay there is decided once, by what was known then; after that the film begins anew.
    assert [(one.decision.label, one.site is None) for one in told[:2]] == [(before, True), (taught, False)]
    assert told[1].decision.bin == f"for-{taught}"
    assert [one.seq for one in told] == [1, 2, 3]
    journal = JournalReader(state_folder() / "journal.sqlite")
    assert [one.label for one in journal.decisions()] == [one.decision.label for one in told]
    journal.close()
