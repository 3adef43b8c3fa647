"""All that a killed run needs to go on from its last epoch as if nothing had happened: one file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import InvalidDataError, UsageError
from edge.files.whole_file import whole_file
from train.fitting.progress import Epoch

CHECKPOINT_FILE = "checkpoint.npz"

Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state after the epochs of `history`.

    `key` stands for everything that decides the run: a checkpoint of another recipe, seed or data must not go on.
    `num_threads` computed it. `best` is empty where the last weights ship.
    """

    key: str
    num_threads: int
    history: tuple[Epoch, ...]
    network: Arrays
    optimizer: Arrays
    average: Arrays
    num_averaged: int
    best: Arrays = field(default_factory=list)


def run_key(*decisive: str) -> str:
    """A digest of what decides a run."""
    return hashlib.sha256("\n".join(decisive).encode()).hexdigest()


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the folder's checkpoint; a kill or power cut at any moment leaves this one or the one before.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    meta = {
        "key": checkpoint.key,
        "num_threads": checkpoint.num_threads,
        "num_averaged": checkpoint.num_averaged,
        "history": [asdict(epoch) for epoch in checkpoint.history],
    }
    arrays = {
        f"{part}.{index}": value
        for part in ("network", "optimizer", "average", "best")
        for index, value in enumerate(getattr(checkpoint, part))
    }
    path = folder / CHECKPOINT_FILE
    content = io.BytesIO()
    np.savez(content, meta=np.array(json.dumps(meta)), **arrays)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content.getbuffer())


def load_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """The folder's checkpoint, or None where no epoch was finished.

    Raises:
        UsageError: it belongs to a run with another recipe, seed or other data.
        InvalidDataError: it cannot be read.
    """
    if not (folder / CHECKPOINT_FILE).is_file():
        return None
    with _opened(folder) as stored:
        meta = json.loads(str(stored["meta"]))
        parts = {part: _numbered(stored, part) for part in ("network", "optimizer", "average", "best")}
    if meta["key"] != key:
        raise UsageError(
            f"{folder / CHECKPOINT_FILE} belongs to another run: --resume needs the same pictures, recipe, overrides,"
            " weights, teachers, seed and --threads; give them again, or choose another --out"
        )
    history = tuple(Epoch(**line) for line in meta["history"])
    return Checkpoint(meta["key"], meta["num_threads"], history, num_averaged=meta["num_averaged"], **parts)


def recorded_threads(folder: Path) -> int:
    """How many threads computed the folder's checkpoint.

    Raises:
        InvalidDataError: it cannot be read.
    """
    with _opened(folder) as stored:
        return int(json.loads(str(stored["meta"]))["num_threads"])


@contextmanager
def _opened(folder: Path) -> Iterator[np.lib.npyio.NpzFile]:
    path = folder / CHECKPOINT_FILE
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            yield stored
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path} is damaged ({error}): remove it, and the run begins again") from error


def _numbered(stored: np.lib.npyio.NpzFile, part: str) -> Arrays:
    count = sum(name.startswith(f"{part}.") for name in stored.files)
    return [stored[f"{part}.{index}"] for index in range(count)]


def values_of(variables: Sequence[object]) -> Arrays:
    """Copies of Keras variables."""
    return [np.array(variable) for variable in variables]
