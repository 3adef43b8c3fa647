"""The report's figures are those of the pictures it names, and none where there are none."""

from __future__ import annotations

import json
import re
from pathlib import Path

from calibration.site.site_file import SiteFolder
from edge.deciding.rules import NEVER
from edge.site import ClassStep, SiteDescription
from tests.calibration.scores.test_judging import few_in, photos_in, run


def tiles_of(site: Path) -> list[tuple[str, str]]:
    out = site.with_suffix(".html")
    run("report", "--site", site, "--out", out)
    return re.findall(r'<div class="tile"><b>(.*?)</b>(.*?)</div>', out.read_text(encoding="utf-8"))


def test_thresholds_that_stayed_do_not_count_among_the_pictures_of_a_later_step(tmp_path: Path) -> None:
    site, photos = tmp_path / "site", photos_in(tmp_path / "photos")
    run("teach", "--images", photos, "--crops", "--site", site)
    run("thresholds", photos, "--crops", "--site", site, "--precision", "0.8")
    run("thresholds", few_in(tmp_path / "few"), "--crops", "--site", site, "--precision", "0.8")
    right, unknown = tiles_of(site)
    assert 0 <= int(unknown[0].removesuffix("%")) <= 100
    assert right[1].startswith("right, of")
    assert "brick (as found before)" in site.with_suffix(".html").read_text(encoding="utf-8")


def test_the_page_counts_as_the_terminal_does(tmp_path: Path) -> None:
    """Two pictures are answered as a class that none shows: they are items of the bin as well."""
    site, photos = tmp_path / "site", photos_in(tmp_path / "photos")
    run("teach", "--images", photos, "--crops", "--site", site)
    told = run("thresholds", few_in(tmp_path / "few"), "--crops", "--site", site, "--precision", "0.8", "--json")
    overall = json.loads(told.stdout)["overall"]
    assert overall["num_pictures"] == 26
    assert tiles_of(site) == [
        (f"{overall['precision']:.1%}", f"right, of {overall['num_accepted']} accepted"),
        (f"{overall['unknown_rate']:.0%}", "left as unknown, of 26"),
    ]


def accepting_nothing(old: SiteDescription) -> SiteDescription:
    """The site with thresholds as they were kept before such were refused."""
    assert old.thresholds is not None
    classes = {label: ClassStep(min_confidence=NEVER) for label in old.thresholds.classes}
    return old.model_copy(update={"thresholds": old.thresholds.model_copy(update={"classes": classes})})


def test_of_nothing_accepted_nothing_is_said(tmp_path: Path) -> None:
    site, photos = tmp_path / "site", photos_in(tmp_path / "photos")
    run("teach", "--images", photos, "--crops", "--site", site)
    run("thresholds", photos, "--crops", "--site", site, "--precision", "0.8")
    SiteFolder(site).change(accepting_nothing)
    assert tiles_of(site)[0] == ("-", "right, of 0 accepted")
    html = site.with_suffix(".html").read_text(encoding="utf-8")
    assert "nothing can be said" in html
    assert "Right among the accepted" not in html
