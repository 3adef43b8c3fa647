"""Bundles onto the disk, all or nothing: a sibling directory is filled, synced and renamed."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge.bundle import MANIFEST, Bundle, Manifest, load_bundle
from edge.errors import StorageError, UsageError
from edge.files.whole_file import sync

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fcntl.h and linux/fs.h
_READABLE_DIRECTORY = 0o755  # temporary directories begin private, but a service user reads bundles


def check_target(out: Path, *, should_replace: bool) -> None:
    """Refuse early what `write_bundle` would refuse late.

    Raises:
        UsageError: something is at `out` that is not a bundle, or a bundle that may not be replaced.
        StorageError: the directory that should hold it does not exist, or cannot be written.
    """
    check_place(out)
    if not out.exists() and not out.is_symlink():
        return
    is_empty = out.is_dir() and not any(out.iterdir())
    if is_empty:
        return
    if not (out / MANIFEST).is_file():
        raise UsageError(f"{out} exists and is not a bundle: choose another --out")
    if not should_replace:
        raise UsageError(f"{out} already holds a bundle: choose another --out, or replace it with --force")


def check_place(out: Path) -> None:
    """Refuse early what nothing can be written into late.

    Raises:
        StorageError: the directory that should hold `out` does not exist, or cannot be written.
    """
    folder = out.absolute().parent
    if not folder.is_dir():
        raise StorageError(f"{folder} is not a directory: make it first")
    if not os.access(folder, os.W_OK):
        raise StorageError(f"{folder} cannot be written: expected a directory of yours, on a disk for writing")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of every file by name, as the manifest lists them."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def write_bundle(out: Path, manifest: Manifest, files: Mapping[str, bytes], *, should_replace: bool) -> Bundle:
    """The bundle at `out`, read back and verified. Nothing is left behind when this fails.

    Raises:
        UsageError: as `check_target`.
        StorageError: writing failed; what was at `out` before is still there.
    """
    check_target(out, should_replace=should_replace)
    encoded = manifest.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
    try:
        with _sibling_directory(out) as folder:
            for name, content in {**files, MANIFEST: encoded}.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            for path in (*folder.rglob("*"), folder):
                sync(path)
            _put_in_place(folder, out)
    except OSError as error:
        raise StorageError(f"the bundle could not be written to {out}: {error.strerror or error}") from error
    return load_bundle(out)


@contextmanager
def _sibling_directory(out: Path) -> Iterator[Path]:
    """A new directory on the same file system as `out`, removed unless it was renamed away."""
    parent = out.absolute().parent
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=parent))
    try:
        folder.chmod(_READABLE_DIRECTORY)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(folder: Path, out: Path) -> None:
    """Rename `folder` to `out`; a bundle that was there takes the place of `folder`."""
    if not (out / MANIFEST).is_file():
        folder.rename(out)
    elif not _exchange(folder, out):
        _put_aside(folder, out)
    sync(out.absolute().parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step, so that a kill never finds neither; False where the system cannot.

    Linux only, and not on every file system: `renameat2` of its C library, which Python does not offer.
    """
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    paths = (_HERE, os.fsencode(one)), (_HERE, os.fsencode(other))
    return swap is not None and swap(*paths[0], *paths[1], _EXCHANGE) == 0


def _put_aside(folder: Path, out: Path) -> None:
    """The same in two steps: a bundle that was there stands aside until the new one is in."""
    with _sibling_directory(out) as aside:
        former = out.rename(aside / "former")
        try:
            folder.rename(out)
        except OSError:
            former.rename(out)
            raise
