"""Writing the site: all of a change or none of it, whatever happens; and the way back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.site.site_file import NUM_KEPT, SiteFolder
from edge.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.errors import AccessDeniedError, CheckFailedError, InvalidDataError, StorageError
from edge.site import SITE, Site, SiteDescription, load_site, read_part
from tests.calibration.site_writer import generation

WRITER = [sys.executable, "-m", "tests.calibration.site_writer"]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(DEFAULT_BUNDLE)


def save(folder: SiteFolder, number: int, bundle: Bundle) -> SiteDescription:
    step, parts = generation(number, bundle.bundle_id)
    return folder.change(lambda old: old.model_copy(update={"head": step}), parts)


def number_of(site: Site) -> int:
    """The number of the change that the site holds, after a look into each of its parts."""
    assert site.head is not None
    assert site.folder is not None
    number = site.head.num_examples["can"]
    for name in (site.head.head, site.head.examples):
        assert read_part(site.folder, name) == str(number).encode() * 5000
    return number


def test_what_was_saved_is_read_by_the_device(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path / "new" / "site")
    assert folder.read() == SiteDescription()
    saved = save(folder, 1, bundle)
    assert folder.read() == saved
    assert number_of(load_site(folder.path, bundle)) == 1


def test_each_undo_goes_one_change_back_until_nothing_is_left(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path)
    for number in (1, 2, 3):
        save(folder, number, bundle)
    assert [folder.undo().head is not None for _ in range(2)] == [True, True]
    assert number_of(load_site(tmp_path, bundle)) == 1
    assert folder.undo() == SiteDescription()
    with pytest.raises(CheckFailedError, match="nothing to undo"):
        folder.undo()


def test_to_undo_in_a_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match="nothing to undo"):
        SiteFolder(tmp_path / "misspelled").undo()
    assert not list(tmp_path.iterdir())


def test_a_change_after_an_undo_can_be_undone_too(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path)
    for number in (1, 2):
        save(folder, number, bundle)
    folder.undo()
    save(folder, 3, bundle)
    folder.undo()
    assert number_of(load_site(tmp_path, bundle)) == 1


def test_history_and_parts_are_bounded(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path)
    for number in range(1, NUM_KEPT + 6):
        save(folder, number, bundle)
    assert folder.num_undoable() == NUM_KEPT
    assert len(list(tmp_path.glob("*.npz"))) == 2 * (NUM_KEPT + 1)
    for _ in range(NUM_KEPT):
        folder.undo()
        number_of(load_site(tmp_path, bundle))
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_site_broken_by_hand_is_not_written_over_and_can_be_undone(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path)
    for number in (1, 2):
        save(folder, number, bundle)
    (tmp_path / SITE).write_text("schema = 1\nregoin = 1\n")
    with pytest.raises(InvalidDataError, match="sorter calibrate undo"):
        save(folder, 3, bundle)
    folder.undo()
    assert number_of(load_site(tmp_path, bundle)) == 1


def test_a_site_that_the_card_has_lost_can_be_undone(tmp_path: Path, bundle: Bundle) -> None:
    folder = SiteFolder(tmp_path)
    for number in (1, 2):
        save(folder, number, bundle)
    (tmp_path / SITE).unlink()
    (tmp_path / SITE).symlink_to("/proc/self/mem")  # can be opened, and reading it fails
    assert folder.read_or_empty() == SiteDescription()
    folder.undo()
    assert number_of(load_site(tmp_path, bundle)) == 1


@pytest.mark.parametrize("content", [b"", b"schema = 1\nregoin = 1\n", b"\xff"])
def test_a_damaged_history_leaves_the_site_as_it_is(tmp_path: Path, bundle: Bundle, content: bytes) -> None:
    folder = SiteFolder(tmp_path)
    for number in (1, 2):
        save(folder, number, bundle)
    newest = max((tmp_path / "history").glob("*.toml"))
    newest.write_bytes(content)
    with pytest.raises(InvalidDataError, match=f"{newest.name} cannot be read, and the site stays"):
        folder.undo()
    assert number_of(load_site(tmp_path, bundle)) == 2
    newest.unlink()
    assert folder.undo() == SiteDescription()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((StorageError, AccessDeniedError), match="file/site"):
        save(SiteFolder(tmp_path / "file" / "site"), 1, bundle)


def test_killed_before_any_of_its_file_operations_the_site_still_loads(tmp_path: Path, bundle: Bundle) -> None:
    """Every crash point of one change in turn; the last run is not cut short."""
    subprocess.run([*WRITER, str(tmp_path), "everywhere"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    found = [number_of(load_site(path, bundle)) for path in paths]
    assert found == sorted(found), "once the new site holds, it stays"
    assert set(found) == {1, 2}
    assert len(paths) > 10
    for path, before in zip(paths, found, strict=True):
        folder = SiteFolder(path)
        save(folder, 3, bundle)
        assert number_of(load_site(path, bundle)) == 3
        folder.undo()
        assert number_of(load_site(path, bundle)) == before


def test_killed_at_random_moments_the_site_still_loads(tmp_path: Path, bundle: Bundle) -> None:
    chance = np.random.default_rng(4)
    for _ in range(4):
        with subprocess.Popen([*WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(chance.integers(1, 13)):
                last = writer.stdout.readline()
            writer.kill()
            last = [last, *writer.stdout][-1]
        assert number_of(load_site(tmp_path, bundle)) >= int(last.split()[1])
