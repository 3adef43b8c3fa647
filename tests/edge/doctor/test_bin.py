"""What doctor finds of the bin itself."""

from __future__ import annotations

from pathlib import Path

from edge.config import Config
from edge.doctor.bin import configuration
from edge.doctor.finding import Level
from tests.edge.site.test_site import OTHER, measured_with, write


def test_what_must_be_calibrated_again_is_a_warning_with_the_command(tmp_path: Path) -> None:
    fits, *again = configuration(Config(site=write(tmp_path / "site", measured_with(OTHER))), None)
    assert fits.level is Level.OK
    assert {finding.level for finding in again} == {Level.WARNING}
    assert [finding.advice for finding in again] == [
        "run `sorter calibrate temperature`",
        "run `sorter calibrate thresholds`",
    ]
