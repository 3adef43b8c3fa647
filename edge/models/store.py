"""The models of a device: installed beside each other, one of them active, the one before it kept.

    <state>/models/
        trashnet-lite0@11663153/     a bundle, immutable
        trashnet-lite0@9f31c2aa/
        active -> trashnet-lite0@9f31c2aa
        previous -> trashnet-lite0@11663153
        candidate -> …               what runs in the shadow of the active one
        trial.json                   how the newest one has done so far
        .downloads/                  what has come in part

Every change is a rename: a power cut at any moment leaves the old model or the new one, never half of one.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge.bundle import Bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.errors import BundleError, CheckFailedError, MissingInputError, SorterError, StorageError, TryAgainError
from edge.files.whole_file import replacing, sync
from edge.models.signatures import files_of, load_trusted_bundle
from edge.models.verification import check_golden

log = logging.getLogger(__name__)

# Installed models that are neither active nor previous; older ones go, since a card is small.
_NUM_KEPT = 2
_PARTIAL = ".incoming-"

# What is written beside a change, as part of it.
Note = Callable[[], object]


def _nothing() -> None:
    """No note."""


class Role(StrEnum):
    """What a link in the store stands for."""

    ACTIVE = "active"
    PREVIOUS = "previous"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The folder of models; `public_key` is what a bundle must be signed with, None where any will do."""

    folder: Path
    public_key: str | None = None

    @property
    def downloads(self) -> Path:
        """Where a model waits that has come in part."""
        return self.folder / ".downloads"

    def named(self, role: Role) -> Path | None:
        """The bundle that was given this role, there or not; None where none was."""
        link = self.folder / role
        return self.folder / link.readlink() if link.is_symlink() else None

    def path_of(self, role: Role) -> Path | None:
        """The bundle that has this role, None where none has."""
        target = self.named(role)
        return target if target is not None and target.is_dir() else None

    def names(self) -> tuple[str, ...]:
        """Every installed model."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(path.name for path in self.folder.iterdir() if path.is_dir() and not _is_special(path)))

    def install(self, source: Path) -> Bundle:
        """Check the bundle in directory `source` on this machine, and keep a copy. It is not active yet.

        Raises:
            MissingInputError, BundleError: `source` is no whole bundle.
            SignatureError: it is not signed by the key.
            CheckFailedError: it answers differently on this machine.
            StorageError: it cannot be written; TryAgainError: another install is under way.
        """
        offered = load_trusted_bundle(source, self.public_key)
        # Before the lock: it takes seconds, in which a bin may have to go back to the model before.
        _check_answers(offered)
        with self._writing(), self._partial() as partial:
            _copy(offered, partial)
            # Read back what was written: a card may lie, and the source may have changed.
            bundle = load_trusted_bundle(partial, self.public_key)
            if bundle.bundle_id != offered.bundle_id:
                raise BundleError(f"{source} was changed while it was installed: install it again")
            target = self.folder / bundle.short_name
            if not self._holds(target):
                _sync(partial)
                shutil.rmtree(target, ignore_errors=True)
                partial.rename(target)
                sync(self.folder)
            self._forget_old(target)
        return load_trusted_bundle(target, self.public_key)

    def activate(self, name: str, note: Note = _nothing) -> None:
        """Let an installed model be the one that the next start of the loop takes; the present one is kept, if whole.

        `note` is called before, while nobody else can change the models; so in `shadow`, and after in `roll_back`.

        Raises:
            MissingInputError: no model of that name is installed.
            StorageError: the link cannot be written.
        """
        if name not in self.names():
            raise MissingInputError(f"no model {name} is installed: {', '.join(self.names()) or 'there is none'}")
        with self._writing():
            note()
            present = self.path_of(Role.ACTIVE)
            if present is not None and present.name != name and self._holds(present):
                self._link(Role.PREVIOUS, present.name)
            self._link(Role.ACTIVE, name)

    def shadow(self, name: str | None, note: Note = _nothing) -> None:
        """Let an installed model run beside the active one; None ends it.

        Raises:
            TryAgainError, StorageError: as `activate`.
        """
        with self._writing():
            note()
            if name is None:
                (self.folder / Role.CANDIDATE).unlink(missing_ok=True)
            else:
                self._link(Role.CANDIDATE, name)

    def roll_back(self, note: Note = _nothing) -> str:
        """Go back to the model before, or to the shipped one where there is none; returns its name.

        Raises:
            MissingInputError: no installed model is active.
        """
        if self.named(Role.ACTIVE) is None:
            raise MissingInputError(
                "no installed model is active: the shipped one runs, there is nothing to go back to"
            )
        with self._writing():
            previous = self.path_of(Role.PREVIOUS)
            if previous is None:
                (self.folder / Role.ACTIVE).unlink(missing_ok=True)
                sync(self.folder)
            else:
                self._link(Role.ACTIVE, previous.name)
                (self.folder / Role.PREVIOUS).unlink(missing_ok=True)
            note()
        return "the shipped model" if previous is None else previous.name

    def _holds(self, installed: Path) -> bool:
        """Whether a model is here and whole: cards rot, and to install it again is what mends that."""
        try:
            load_trusted_bundle(installed, self.public_key)
        except (MissingInputError, BundleError, StorageError):
            return False
        return True

    def _link(self, role: Role, name: str) -> None:
        partial = self.folder / f".{role}.new"
        partial.unlink(missing_ok=True)
        partial.symlink_to(name)
        partial.replace(self.folder / role)
        sync(self.folder)

    def _forget_old(self, newest: Path) -> None:
        """Remove what has no role, the oldest first, but for a few."""
        kept = {path.name for role in Role if (path := self.path_of(role)) is not None} | {newest.name}
        others = [self.folder / name for name in self.names() if name not in kept]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[: -_NUM_KEPT or None]:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _partial(self) -> Iterator[Path]:
        """A folder to write into; whatever is still there at the end, or from a killed install, goes."""
        for left_over in self.folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left_over, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self.folder))
        partial.chmod(0o755)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time; the system's errors become ours."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / ".lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise TryAgainError(f"{self.folder}: another command is changing the models; try again") from error
                yield
        except SorterError:
            raise
        except OSError as error:
            raise StorageError(f"{self.folder}: {error.strerror or error}; the models are as they were") from error


def replace_file(path: Path, text: str) -> None:
    """Write `text` so that a power cut leaves the old content or the new one.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def _check_answers(bundle: Bundle) -> None:
    wrong = [check.picture for check in check_golden(bundle, LiteRTClassifier(bundle)) if not check.is_passed]
    if wrong:
        raise CheckFailedError(
            f"{bundle.short_name} answers differently on this machine ({', '.join(wrong)}) and was not installed: "
            "another --precision, or pip install -U ai-edge-litert, may help"
        )


def _is_special(path: Path) -> bool:
    return path.is_symlink() or path.name.startswith(".")


def _copy(bundle: Bundle, target: Path) -> None:
    """What belongs to the bundle and nothing else that lies beside it."""
    for name in files_of(bundle):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.path / name, target / name)


def _sync(folder: Path) -> None:
    """Let a folder and all that is in it reach the disk."""
    for path in (*folder.rglob("*"), folder):
        sync(path)
