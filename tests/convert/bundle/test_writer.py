from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from convert.bundle.writer import write_bundle
from convert.network import load_network
from convert.tflite.converter import to_tflite
from edge.bundle import MODEL, Bundle, load_bundle
from edge.errors import StorageError, UsageError
from edge.preprocess import InputSpec
from edge.run import load_run


def files_of(bundle: Bundle) -> dict[str, bytes]:
    return {name: (bundle.path / name).read_bytes() for name in bundle.manifest.files}


def write(bundle: Bundle, out: Path, *, should_replace: bool = False) -> Bundle:
    return write_bundle(out, bundle.manifest, files_of(bundle), should_replace=should_replace)


@contextmanager
def disk_that_holds(num_bytes: int) -> Iterator[None]:
    """No file may grow beyond `num_bytes`: the kernel refuses the write, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_what_is_written_is_what_was_given(int8_bundle: Bundle, tmp_path: Path) -> None:
    written = write(int8_bundle, tmp_path / "copy")

    assert written.bundle_id == int8_bundle.bundle_id
    assert files_of(written) == files_of(int8_bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_another_user_can_read_it(int8_bundle: Bundle, tmp_path: Path) -> None:
    written = write(int8_bundle, tmp_path / "copy")

    for path in (written.path, *written.path.rglob("*")):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_a_folder_that_is_not_a_bundle_is_never_replaced(int8_bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "holiday"
    out.mkdir()
    (out / "beach.jpg").write_bytes(b"precious")

    with pytest.raises(UsageError, match="exists and is not a bundle"):
        write(int8_bundle, out, should_replace=True)
    assert (out / "beach.jpg").read_bytes() == b"precious"


def test_a_file_is_never_replaced(int8_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")

    with pytest.raises(UsageError, match="is not a bundle"):
        write(int8_bundle, tmp_path / "notes.txt", should_replace=True)


def test_an_empty_folder_may_become_a_bundle(int8_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert write(int8_bundle, tmp_path / "empty").bundle_id == int8_bundle.bundle_id


def test_a_bundle_is_replaced_only_when_told_to(int8_bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    shutil.copytree(int8_bundle.path, out)
    (out / "left over.txt").write_text("from an older bundle")

    with pytest.raises(UsageError, match="--force"):
        write(int8_bundle, out)
    replaced = write(int8_bundle, out, should_replace=True)

    assert replaced.bundle_id == int8_bundle.bundle_id
    assert not (out / "left over.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_bundle_is_replaced_in_one_step(int8_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks, and whatever is killed, finds the former or the new one."""
    out = write(int8_bundle, tmp_path / "bundle").path
    renames: list[Path] = []
    monkeypatch.setattr(Path, "rename", lambda path, _target: renames.append(path))
    write(int8_bundle, out, should_replace=True)

    assert renames == []
    assert load_bundle(out).bundle_id == int8_bundle.bundle_id


def test_a_file_system_that_cannot_exchange_gets_the_bundle_all_the_same(
    int8_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.bundle.writer._EXCHANGE", 1 << 30)  # a flag that no kernel knows
    out = tmp_path / "bundle"
    shutil.copytree(int8_bundle.path, out)
    (out / "left over.txt").write_text("from an older bundle")

    assert write(int8_bundle, out, should_replace=True).bundle_id == int8_bundle.bundle_id
    assert not (out / "left over.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_missing_parent_is_said_so(int8_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a directory: make it first"):
        write(int8_bundle, tmp_path / "nowhere" / "bundle")


def test_a_full_disk_leaves_nothing_behind(int8_bundle: Bundle, tmp_path: Path) -> None:
    size = (int8_bundle.path / MODEL).stat().st_size

    with disk_that_holds(size - 1), pytest.raises(StorageError, match="could not be written"):
        write(int8_bundle, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_former_bundle(int8_bundle: Bundle, tmp_path: Path) -> None:
    out = write(int8_bundle, tmp_path / "bundle").path
    size = (int8_bundle.path / MODEL).stat().st_size

    with disk_that_holds(size - 1), pytest.raises(StorageError):
        write(int8_bundle, out, should_replace=True)
    assert load_bundle(out).bundle_id == int8_bundle.bundle_id
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_full_scratch_disk_is_said_to_be_one(finished_run: Path) -> None:
    network = load_network(finished_run, load_run(finished_run), InputSpec(32, 32))

    with disk_that_holds(10_000), pytest.raises(StorageError, match="is the disk full"):
        to_tflite(network, InputSpec(32, 32), "float32", [])
