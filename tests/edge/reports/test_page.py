"""A page is written whole; links are followed, and a device stays a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edge.errors import StorageError
from edge.reports.page import write_page


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
