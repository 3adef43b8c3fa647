"""What doctor finds of the bin itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import Config
from edge.config.outlets import JournalSection
from edge.doctor.bin import camera, configuration, kept
from edge.doctor.finding import Level, examine
from edge.errors import BlackPictureError, StaleFrameError
from edge.messages import Frame
from tests.edge.site.test_site import OTHER, measured_with, write
from tests.edge.test_config import without_roots_rights


def test_what_must_be_calibrated_again_is_a_warning_with_the_command(tmp_path: Path) -> None:
    fits, *again = configuration(Config(site=write(tmp_path / "site", measured_with(OTHER))), None)
    assert fits.level is Level.OK
    assert {finding.level for finding in again} == {Level.WARNING}
    assert [finding.advice for finding in again] == [
        "run `sorter calibrate temperature`",
        "run `sorter calibrate thresholds`",
    ]


def test_a_journal_that_was_put_aside_is_a_warning_until_it_is_taken_away(tmp_path: Path) -> None:
    config = Config(journal=JournalSection(path=tmp_path / "journal.sqlite"))
    aside = tmp_path / "journal.damaged-1.sqlite"
    aside.touch()
    found, _ = kept(config)
    assert found.level is Level.WARNING
    assert found.found.endswith("what was before lies in journal.damaged-1.sqlite")
    assert found.advice == "see whether the card is worn out, and move that away"
    aside.unlink()
    (well,) = kept(config)
    assert well.level is Level.OK


@pytest.mark.parametrize("denied", ["journal.sqlite", "journal.sqlite.pictures"])
def test_what_the_bin_may_not_write_keeps_it_from_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # whatever the folders above it allow
    (tmp_path / "journal.sqlite.pictures").mkdir()
    (tmp_path / "journal.sqlite").touch()
    for place in tmp_path.iterdir():
        place.chmod(0o555 if place.name == denied else 0o777)
    with without_roots_rights():
        first, *_ = kept(Config(journal=JournalSection(path=Path("journal.sqlite"))))
    assert (first.level, first.found) == (Level.FAILURE, f"this user may not write {denied}")


def test_of_a_folder_that_this_user_may_not_look_into_no_damaged_journal_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # whatever the folders above it allow
    (tmp_path / "state").mkdir(mode=0)
    config = Config(journal=JournalSection(path=Path("state/journal.sqlite")))
    with without_roots_rights():
        (only,) = examine("kept", lambda: kept(config))
    assert (only.level, only.found) == (Level.FAILURE, "state/journal.sqlite: Permission denied")


class Night:
    """A camera in the dark, which its first second does not tell."""

    def __init__(self) -> None:
        self._told = iter([StaleFrameError("nothing yet"), BlackPictureError("is the lamp off?")])

    def open(self) -> None:
        """It is there."""

    def close(self) -> None:
        """It is let go."""

    def next_frame(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - it gives none
        raise next(self._told)


def test_a_camera_in_the_dark_is_said_to_be_dark_however_late_its_first_picture_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.doctor.bin.open_camera", lambda *_: Night())
    with pytest.raises(BlackPictureError, match="is the lamp off"):
        list(camera(Config()))
