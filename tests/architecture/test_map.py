"""README's map of the house: every room of the device is on it, and nothing that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_map_names_every_part_of_the_device_and_no_other() -> None:
    _, after = (ROOT / "README.md").read_text(encoding="utf-8").split("## The map of the house")
    table, _ = after.split("\nThe rooms above it")
    named = set(re.findall(r"`(\w+(?:\.py|/))`", table)) - {"edge/"}
    files = {path.name for path in (ROOT / "edge").glob("*.py") if not path.name.startswith("__")}
    folders = {f"{path.name}/" for path in (ROOT / "edge").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert named == files | folders


@pytest.mark.parametrize("room", ["train", "convert", "calibration", "tests"])
def test_the_map_names_nothing_that_is_gone(room: str) -> None:
    [row] = re.findall(rf"^\| `{room}/` \| (.*) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"`(\w+(?:\.py|/))`", row)
    assert named
    assert [part for part in named if not (ROOT / room / part).exists()] == []
