"""What a run answered to the pictures that it did not train on, read back from its `predictions.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import InvalidDataError, MissingInputError
from edge.run import PREDICTIONS_FILE, VAL_SPLIT


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """N pictures, the scores (N, C) they got and their true class indices (N,)."""

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    scores: NDArray[np.float32]
    truth: NDArray[np.intp]


def load_answers(folder: Path, split: str = VAL_SPLIT) -> Answered:
    """The answers of a run directory for one split; there may be none.

    Raises:
        MissingInputError: there is no `predictions.csv`.
        InvalidDataError: it is not one.
    """
    path = folder / PREDICTIONS_FILE
    if not path.is_file():
        raise MissingInputError(
            f"no {PREDICTIONS_FILE} in {folder}: expected a run directory written by `sorter train`"
        )
    try:
        with path.open(newline="", encoding="utf-8") as file:
            (_, _, _, *labels), *lines = list(csv.reader(file))
        lines = [line for line in lines if line[2] == split]
        scores = np.array([line[3:] for line in lines], np.float32).reshape(len(lines), len(labels))
        truth = np.array([labels.index(line[1]) for line in lines], np.intp)
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise InvalidDataError(f"{path} does not hold path,label,split and scores: {error}; train again") from error
    return Answered(tuple(labels), tuple(line[0] for line in lines), scores, truth)
