"""A finished run as it lies on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.run import Run, SplitRow, load_run, load_splits
from train.measuring.answers import Answered, load_answers
from train.measuring.compare import History, load_history
from train.measuring.metrics import Evaluation, measure_scores


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """What a run directory holds, and how its answers measure; its pictures lie in `root`."""

    folder: Path
    root: Path
    run: Run
    splits: tuple[SplitRow, ...]
    history: History
    answered: Answered
    evaluation: Evaluation


def load_story(folder: Path, root: Path | None = None) -> Story:
    """Read a finished run directory, whose pictures lie in `root` now: by default where they were.

    Raises:
        MissingInputError, InvalidDataError: it is none.
    """
    run = load_run(folder)
    answered = load_answers(folder)
    evaluation = measure_scores(answered.scores, answered.truth, run.labels, model=run.recipe)
    pictures = (root or Path(run.data.root)).resolve()
    return Story(folder, pictures, run, load_splits(folder), load_history(folder), answered, evaluation)
