"""Teaching from the bin's page."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from calibration.page import PageTeacher
from edge.assembly.page import TEACHERS, ReloadingTeacher
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.errors import UsageError
from edge.site import load_site
from tests.calibration.teaching.test_teach import different, variants
from tests.scenes.pictures import load_stage


def test_what_was_looked_at_is_in_the_site_file_and_the_bin_is_asked_to_read_it(tmp_path: Path) -> None:
    bundle = load_bundle(DEFAULT_BUNDLE)
    item = load_stage().items[0]
    reloads: list[str] = []
    teacher = ReloadingTeacher(PageTeacher(bundle, tmp_path / "site"), lambda: reloads.append("asked"))
    said = teacher.teach("cup", different(item, 5))
    assert said.startswith("Learned. Of 5 looks it tells 5 right")
    assert "Nothing but cup was shown" in said
    site = load_site(tmp_path / "site", bundle)
    assert site.head is not None
    assert site.head.labels == (*bundle.manifest.labels, "cup")
    assert reloads == ["asked"]


def test_how_well_one_thing_is_known_is_not_claimed(tmp_path: Path) -> None:
    said = PageTeacher(load_bundle(DEFAULT_BUNDLE), tmp_path / "site").teach("cup", variants(load_stage().items[0], 5))
    assert said.startswith("Learned. Take the thing out")
    assert "The 5 examples of cup show one thing, and say nothing of others" in said


def test_a_lesson_that_fails_asks_for_nothing(tmp_path: Path) -> None:
    reloads: list[str] = []
    teacher = ReloadingTeacher(
        PageTeacher(load_bundle(DEFAULT_BUNDLE), tmp_path / "site"), lambda: reloads.append("asked")
    )
    with pytest.raises(UsageError):
        teacher.teach("cup", [])
    assert reloads == []


def test_the_room_announces_its_teacher() -> None:
    (announced,) = entry_points(group=TEACHERS)
    assert announced.load() is PageTeacher
