"""A file is there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edge.errors import StorageError
from edge.files.whole_file import UNFINISHED, whole_file


def test_what_was_there_stays_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), StorageError("torn"), ValueError("odd")])
def test_whatever_ends_the_block_early_leaves_nothing_new(tmp_path: Path, raised: BaseException) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def write() -> None:
        with whole_file(path) as unfinished:
            unfinished.write_text("half")
            raise raised

    with pytest.raises(type(raised)) as told:
        write()
    assert told.value is raised
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"kept\.txt cannot be written: No space left"),
        whole_file(tmp_path / "kept.txt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "secret.toml"
    path.touch(mode=0o640)
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link) as unfinished:
        unfinished.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_to() -> None:
    with whole_file(Path("/dev/null")) as unfinished:
        unfinished.write_text("gone")
    assert Path("/dev/null").is_char_device()


def test_it_is_on_the_disk_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the first a power cut leaves an empty file, without the second the old one."""
    path, synced, fsync = tmp_path / "kept.txt", [], os.fsync

    def watched(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    with whole_file(path) as unfinished:
        unfinished.write_text("new")
    assert synced == [(str(unfinished), False), (str(tmp_path), True)]


def test_its_unfinished_place_has_the_suffix_that_some_writers_go_by_and_is_hidden(tmp_path: Path) -> None:
    with whole_file(tmp_path / "film.mp4") as unfinished:
        unfinished.touch()
        assert unfinished.suffix == ".mp4"
        assert unfinished.name.startswith(UNFINISHED)


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Is a directory"), whole_file(tmp_path) as unfinished:
        unfinished.write_text("text")
    assert tmp_path.is_dir()
