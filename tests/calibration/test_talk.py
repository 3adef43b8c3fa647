"""What a step says that it would change."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.config import Config
from edge.site import SiteDescription
from tests.calibration.site_writer import generation


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
