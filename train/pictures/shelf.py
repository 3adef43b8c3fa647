"""Pictures that lie on the disk while a network learns them: as many as it holds, in memory as far as there is room."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from math import prod
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from edge.preprocess import Image


def shelve(arrays: Iterable[Image], folder: Path) -> list[Image]:
    """The same arrays of bytes, read-only, out of a file in `folder` that has no name and is gone when they are.

    The kernel keeps of it in memory what there is room for, where arrays of the process's own would end it.

    Raises:
        OSError: it cannot be written, or the disk is full.
    """
    shapes: list[tuple[int, ...]] = []
    with TemporaryFile(dir=folder) as file:
        for array in arrays:
            shapes.append(array.shape)
            file.write(np.ascontiguousarray(array).data)
        file.flush()
        stored = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    sizes = [prod(shape) for shape in shapes]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    return [
        np.frombuffer(stored, np.uint8, size, start).reshape(shape)
        for shape, size, start in zip(shapes, sizes, starts, strict=True)
    ]
