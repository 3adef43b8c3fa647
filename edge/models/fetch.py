"""Bringing a bundle to the device: from a folder, a .zip file or a web address, and packing one into a .zip."""

from __future__ import annotations

import hashlib
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from edge.addresses import without_secrets
from edge.bundle import MANIFEST, Bundle
from edge.errors import BundleError, MissingInputError, StorageError, UsageError
from edge.files.whole_file import whole_file
from edge.models.download import Download
from edge.models.signatures import files_of

# The largest network that a Raspberry Pi runs in time has 25 MB; more is a mistake, or an attack on the card.
MAX_BYTES = 200_000_000
_CHUNK = 1 << 16
# A fixed time makes the same bundle the same file; zip knows none before 1980.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@contextmanager
def fetched(
    source: str,
    downloads: Path,
    sha256: str | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _bytes, _of: None,
) -> Iterator[Path]:
    """The directory of the bundle at `source`: a folder as it is; what a .zip or an address holds in a temporary one.

    A download that breaks off waits in the folder `downloads` for the next attempt; `on_progress` is told how far
    it is, in bytes. With `sha256`, in hexadecimal, the file must have that digest.

    Raises:
        MissingInputError: there is nothing.
        BundleError: the file is no .zip, has another digest, or holds more or other than a bundle.
        UnavailableError: the address does not answer, or breaks off; StorageError: no room.
    """
    with tempfile.TemporaryDirectory(prefix="sorter-model-") as scratch:
        folder = Path(scratch)
        if urlsplit(source).scheme in {"http", "https"}:
            with Download(source, downloads, MAX_BYTES, on_progress) as download:
                path, name = download.fetch(), without_secrets(source)
                _check_digest(path, sha256, name)
                yield _unpack(path, folder / "bundle", name)
        elif Path(source).is_file():
            _check_digest(Path(source), sha256, source)
            yield _unpack(Path(source), folder / "bundle", source)
        elif Path(source).is_dir():
            if sha256 is not None:
                raise UsageError(f"{source} is a folder: a digest is that of one file, as `sorter model pack` writes")
            yield Path(source)
        else:
            raise MissingInputError(
                f"no model at {source}: expected a bundle's folder, a .zip of one, or an http(s) address"
            )


def pack(bundle: Bundle, target: Path) -> None:
    """Write `bundle` as a .zip; the same bundle gives the same bytes.

    Raises:
        StorageError: it cannot be written.
    """
    with whole_file(target) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files_of(bundle):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (bundle.path / name).read_bytes())


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_digest(path: Path, sha256: str | None, name: str) -> None:
    if sha256 is not None and (found := digest(path)) != sha256.lower():
        raise BundleError(f"{name}: expected a file with the SHA-256 {sha256.lower()}, found {found}")


def _copy_bounded(source: IO[bytes], target: IO[bytes], name: str) -> int:
    num_bytes = 0
    while chunk := source.read(_CHUNK):
        num_bytes += len(chunk)
        if num_bytes > MAX_BYTES:
            raise BundleError(f"{name} has more than {MAX_BYTES // 1_000_000} MB: expected a bundle")
        target.write(chunk)
    return num_bytes


def _unpack(archive_path: Path, target: Path, name: str) -> Path:
    """The folder inside `target` that holds the manifest: the archive's root, or its only folder."""
    try:
        with zipfile.ZipFile(archive_path) as archive:
            _check_entries(archive, name)
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                path = target / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, path.open("wb") as file:
                    _copy_bounded(packed, file, name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BundleError(f"{name} is not a whole .zip file: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot unpack {name}: {error.strerror or error}") from error
    manifests = [target / MANIFEST, *sorted(target.glob(f"*/{MANIFEST}"))]
    for manifest in manifests:
        if manifest.is_file():
            return manifest.parent
    raise BundleError(f"{name} holds no {MANIFEST}: expected a bundle, as `sorter model pack` packs it")


def _check_entries(archive: zipfile.ZipFile, name: str) -> None:
    """Before anything is written: no way out of the folder, no link, no bomb."""
    entries = archive.infolist()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
            raise BundleError(f"{name}: {entry.filename!r} does not stay inside of the bundle")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise BundleError(f"{name} unpacks to more than {MAX_BYTES // 1_000_000} MB: expected a bundle")
