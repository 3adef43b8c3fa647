"""A page is written whole; links are followed, and a device stays a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from edge.errors import StorageError
from edge.reports.page import listing, page, pictures, section, table, write_page


def test_it_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_text("old", encoding="utf-8")
    (tmp_path / "link.html").symlink_to("real.html")
    write_page(tmp_path / "link.html", "new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text(encoding="utf-8") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "real.html"]


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device needs root")
def test_a_full_device_is_an_error_and_stays_a_device(tmp_path: Path) -> None:
    full = tmp_path / "full"
    os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    with pytest.raises(StorageError, match="No space left"):
        write_page(full, "page")
    assert stat.S_ISCHR(full.stat().st_mode)


def test_on_a_phone_nothing_is_wider_than_the_screen_and_on_paper_nothing_is_cut_off(
    chromium: str, tmp_path: Path
) -> None:
    long_command = listing(f"sorter train {'/a/folder/of/pictures' * 12} --seed 1")
    wide_table = table([f"a column {index}" for index in range(9)], [["a cell that is wide"] * 9])
    shown_items = pictures([("what it is", [np.zeros((8, 8, 3), np.uint8)])])
    sections = [section("To do it again", long_command, wide_table, shown_items)]
    write_page(tmp_path / "page.html", page("Title", sections))
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=options) as browser:
        shown = browser.new_page(viewport={"width": 375, "height": 800})
        shown.goto((tmp_path / "page.html").as_uri())
        assert shown.evaluate("() => document.documentElement.scrollWidth") == 375
        shown.emulate_media(media="print")
        scrolling = "element => getComputedStyle(element).overflowX"
        assert {shown.locator(kind).evaluate(scrolling) for kind in ("pre", ".wide")} == {"visible"}
        together = "element => getComputedStyle(element).breakInside"
        assert {shown.locator(kind).first.evaluate(together) for kind in ("figure", "tr")} == {"avoid"}
