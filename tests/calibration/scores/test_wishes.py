"""An owner's wish in words that are true, and prices also of what the bin was taught."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.scores.wishes import wish_for
from calibration.site.site_file import SiteFolder
from calibration.talk import Desk, Talk
from calibration.teaching.teach import Teaching
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.config import Config
from edge.errors import ConfigError
from tests.calibration.teaching.test_teach import CAN, variants

BUNDLE = load_bundle(DEFAULT_BUNDLE)


def desk_with(site: Path, bins: dict[str, dict[str, object]]) -> Desk:
    return Desk(Config.model_validate({"bins": bins}), SiteFolder(site), Talk(is_sure=True, as_json=False))


@pytest.mark.parametrize(
    ("share", "words"), [(0.97, "97 %"), (0.995, "99.5 %"), (0.9, "90 %"), (0.57, "57 %"), (0.9999999, "99.99999 %")]
)
def test_a_wish_is_not_rounded_in_its_words(tmp_path: Path, share: float, words: str) -> None:
    assert wish_for(desk_with(tmp_path, {}), share, None, 0.97)[1] == f"{words} of what is sorted shall be right"


def test_a_cost_table_may_name_the_bin_of_a_taught_class(tmp_path: Path) -> None:
    site, costs = tmp_path / "site", tmp_path / "costs.toml"
    Teaching(BUNDLE, SiteFolder(site)).teach("spray", variants(CAN, 1))
    costs.write_text("leave_cost = 0.2\n[costs.cans]\nglass = 20\n")
    rest = {"labels": BUNDLE.manifest.labels, "takes_unknown": True}
    with_bin = desk_with(site, {"cans": {"labels": ["spray"]}, "rest": rest})
    assert wish_for(with_bin, None, costs, 0.97)[1] == "as cheap as may be by costs.toml"
    costs.write_text("[costs.bottles]\nglass = 20\n")
    with pytest.raises(ConfigError, match=r"costs\.toml: costs\.bottles is no bin that takes a class"):
        wish_for(with_bin, None, costs, 0.97)
    without_bin = desk_with(site, {"rest": rest})
    costs.write_text("leave_cost = 0.2\n")
    with pytest.raises(ConfigError, match=r"no bin takes spray.*labels of a bin"):
        wish_for(without_bin, None, costs, 0.97)
