"""What a step says that it would change."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calibration.cli import calibrate
from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.config import Config
from edge.site import SiteDescription
from tests.calibration.site_writer import generation


@pytest.mark.parametrize("names_it", [True, False])
def test_a_site_that_the_configuration_does_not_name_is_told_how_it_comes_into_use(
    tmp_path: Path, *, names_it: bool
) -> None:
    site, config = tmp_path / "site", tmp_path / "sorter.toml"
    config.write_text(f"schema = 1\n{f'site = {str(site)!r}' if names_it else ''}\n", encoding="utf-8")
    places = ["--config", str(config), "--site", str(site)]
    result = CliRunner().invoke(calibrate, ["background", "--images", str(empty_in(tmp_path)), *places, "--yes"])
    assert result.exit_code == 0, result.output
    assert "Kept in" in result.output
    assert (f'at the top of its configuration: site = "{site}"' in result.output) is not names_it


def empty_in(root: Path) -> Path:
    """A folder of a picture of an empty scene."""
    (root / "empty").mkdir()
    cv2.imwrite(str(root / "empty" / "1.png"), np.full((96, 128, 3), 120, np.uint8))
    return root / "empty"


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "says so already; only the date is new."), (2, "stay as they are; what was learned is new.")],
)
def test_as_many_other_examples_are_not_told_as_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, words: str
) -> None:
    """A class holds a hundred at most: whoever shows ten more changes ten, and no count."""
    desk = Desk(Config(), SiteFolder(tmp_path / "site"), Talk(is_sure=True, as_json=False))
    for shown in (1, number):
        step, parts = generation(shown, load_bundle(DEFAULT_BUNDLE).bundle_id)
        of_one = step.model_copy(update={"num_examples": {"can": 1}})

        def edit(old: SiteDescription) -> SiteDescription:
            return old.model_copy(update={"head": of_one})  # noqa: B023, called in this round

        capsys.readouterr()
        assert desk.propose("teach", edit, parts)
    assert words in capsys.readouterr().out
