"""`sorter train` from its options to its run directories: one run, or one for each fold."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.run import RUN_FILE
from train.answers import load_answers
from train.fit import train
from train.metrics import Evaluation, measure_scores
from train.progress import Progress
from train.recipes import Recipe
from train.splits import Fold
from train.tensorboard import Curves
from train.terminal import ProgressLine

_log = logging.getLogger(__name__)

FOLDS_FILE = "folds.json"


@dataclass(frozen=True, slots=True)
class Session:
    """The options of one `sorter train`."""

    data: Path
    out: Path
    recipe: Recipe
    recipe_name: str
    weights: str
    teachers: tuple[Path, ...]
    seed: int
    is_resumed: bool
    has_tensorboard: bool
    has_report: bool
    line: ProgressLine

    def run(self) -> Evaluation:
        """One run, and its report."""
        return self._run(self.out, None)

    def cross_validate(self, num_folds: int) -> Evaluation:
        """A run for each fold; the metrics are those of all pictures, each judged by the run that never saw it."""
        folders = [self.out / f"fold{number}" for number in range(1, num_folds + 1)]
        for number, folder in enumerate(folders, start=1):
            if not (self.is_resumed and (folder / RUN_FILE).exists()):
                _log.warning("fold %d of %d", number, num_folds)
                self._run(folder, Fold(number, num_folds))
        answers = [load_answers(folder) for folder in folders]
        pooled = measure_scores(
            np.concatenate([part.scores for part in answers]),
            np.concatenate([part.truth for part in answers]),
            answers[0].labels,
            model=self.recipe_name,
        )
        accuracies = [float((part.scores.argmax(axis=1) == part.truth).mean()) for part in answers]
        found = {**pooled.to_json(), "folds": [str(folder) for folder in folders], "fold_accuracies": list(accuracies)}
        (self.out / FOLDS_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return pooled

    def _run(self, out: Path, fold: Fold | None) -> Evaluation:
        curves = Curves(out / "tensorboard") if self.has_tensorboard else None

        def on_epoch(progress: Progress) -> None:
            if curves is not None:
                curves.add(progress.last)
            self.line.on_epoch(progress)

        evaluation = train(
            self.data,
            out,
            self.recipe,
            recipe_name=self.recipe_name,
            weights=self.weights,
            teachers=self.teachers,
            seed=self.seed,
            fold=fold,
            resume=self.is_resumed,
            on_epoch=on_epoch,
            on_step=self.line.on_step,
        )
        if self.has_report:
            from train.report.run_report import write_report  # noqa: PLC0415, it must not stop a run that needs none

            write_report(out)
        return evaluation
