"""Writing the site file: a whole change at a time, or none of it, also when the power fails."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge.errors import AccessDeniedError, CheckFailedError, InvalidDataError, SorterError, StorageError
from edge.files.toml_text import to_toml
from edge.files.whole_file import UNFINISHED, replacing, sync
from edge.site import HISTORY, SITE, SiteDescription, parse_site, read_site

# How many former states can be gone back to.
NUM_KEPT = 20

_LOCK = ".lock"
_EMPTY_SITE = SiteDescription()


class SiteFolder:
    """The site in directory `path`, which need not exist yet.

    Parts are written first, under names of their own; then one rename puts the new site.toml in place. A
    reader sees the old site or the new one, and so does whoever comes after a crash.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / SITE
        self._history = path / HISTORY

    def read(self) -> SiteDescription:
        """What the site says now; nothing when there is none.

        Raises:
            InvalidDataError: the file is not understood.
            StorageError: the disk does not give it back.
        """
        if not self._file.is_file():
            return _EMPTY_SITE
        return parse_site(read_site(self.path), self._file)

    def read_or_empty(self) -> SiteDescription:
        """The same, and nothing also when the file is not understood or cannot be read."""
        try:
            return self.read()
        except (InvalidDataError, StorageError):
            return _EMPTY_SITE

    def change(
        self, edit: Callable[[SiteDescription], SiteDescription], parts: Mapping[str, bytes] | None = None
    ) -> SiteDescription:
        """Replace the site by `edit` of what it is now, and keep the former one for `undo`.

        `parts` maps names as `edge.site.part_name` gives them to contents. Returns when all of it is on disk.

        Raises:
            AccessDeniedError, StorageError: it cannot be written; the old site holds.
        """
        with self._claimed():
            changed = edit(self.read())
            for name, content in (parts or {}).items():
                _write(self.path / name, content)
            former = self._file.read_bytes() if self._file.is_file() else _encode(_EMPTY_SITE)
            _write(self._history / f"{self._newest() + 1:06d}.toml", former)
            _write(self._file, _encode(changed))
            self._tidy()
        return changed

    def undo(self) -> SiteDescription:
        """Go back to the site before the last change.

        Raises:
            CheckFailedError: there is nothing to go back to.
            InvalidDataError: what is there is damaged; the site stays as it is.
        """
        if not self._generations():  # to look into a folder that is not there must not make it
            raise CheckFailedError(f"{self.path}: there is nothing to undo")
        with self._claimed():
            try:
                current = self._file.read_bytes()
            except OSError:  # there is none, or the card has lost it, and one comes to undo that
                current = b""
            for former in reversed(self._generations()):
                if former.read_bytes() == current:  # a change that was cut short before it changed anything
                    former.unlink()
                    continue
                gone_back_to = _former_site(former)
                former.replace(self._file)
                sync(self.path)
                self._tidy()
                return gone_back_to
        raise CheckFailedError(f"{self.path}: there is nothing to undo")

    def num_undoable(self) -> int:
        """How many times `undo` can be called."""
        return len(self._generations())

    def _generations(self) -> list[Path]:
        return sorted(self._history.glob("[0-9]*.toml"))

    def _newest(self) -> int:
        generations = self._generations()
        return int(generations[-1].stem) if generations else 0

    def _tidy(self) -> None:
        """Forget the oldest states, and parts that no remaining state names."""
        for oldest in self._generations()[:-NUM_KEPT]:
            oldest.unlink()
        for unfinished in (*self.path.glob(f"{UNFINISHED}*"), *self._history.glob(f"{UNFINISHED}*")):
            unfinished.unlink()
        try:
            named = {name for file in (self._file, *self._generations()) for name in _parts_of(file)}
        except InvalidDataError:  # the history of a newer sorter: its parts are not ours to judge
            return
        for part in self.path.glob("*-*.*"):
            if part.name not in named:
                part.unlink()

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        """Be the only writer; others wait. Errors of the file system leave in the project's words."""
        try:
            self._history.mkdir(parents=True, exist_ok=True)
            with (self.path / _LOCK).open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except SorterError:
            raise
        except PermissionError as error:
            raise AccessDeniedError(
                f"{self.path} may not be written by this user: expected the user of the service, or sudo"
            ) from error
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot be written ({error.strerror}): is the disk full? The old site holds"
            ) from error


def _write(target: Path, content: bytes) -> None:
    with replacing(target) as unfinished:
        unfinished.write_bytes(content)


def _encode(description: SiteDescription) -> bytes:
    done = description.model_dump(by_alias=True, exclude_defaults=True)
    return to_toml({"schema": description.schema_version, **done}).encode()


def _former_site(file: Path) -> SiteDescription:
    try:
        return parse_site(file.read_bytes(), file)
    except InvalidDataError:
        raise InvalidDataError(
            f"{file} cannot be read, and the site stays as it is: remove that file to go back to the change before it"
        ) from None


def _parts_of(file: Path) -> Iterator[str]:
    if file.is_file():
        yield from parse_site(file.read_bytes(), file).parts()
