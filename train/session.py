"""`sorter train` from its options to its run directories: one run, or one for each fold."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from edge.data_folder import Dataset
from edge.files.whole_file import whole_file
from edge.run import FOLD_FOLDER, REPORT_FILE, RUN_FILE
from train.fitting.claim import check_free, claimed
from train.fitting.fit import Start, check_target, find_pictures, storage_errors, train
from train.fitting.progress import Progress, Watch
from train.fitting.tensorboard import Curves
from train.measuring.answers import load_answers
from train.measuring.metrics import Evaluation, measure_scores
from train.recipes import Recipe
from train.splits import Fold, with_splits
from train.terminal import ProgressLine, bar

_log = logging.getLogger(__name__)

FOLDS_FILE = "folds.json"


@dataclass(frozen=True, slots=True, kw_only=True)
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
        evaluation = self._train(self.out)
        self._report(self.out)
        return evaluation

    def cross_validate(self, num_folds: int) -> Evaluation:
        """A run for each fold; the metrics are of all pictures but a test part, each by the run that never saw it."""
        with storage_errors(self.out):
            check_free(self.out)
        pictures = find_pictures(self.data, self.recipe, bar)
        folds = {self.out / FOLD_FOLDER.format(number): Fold(number, num_folds) for number in range(1, num_folds + 1)}
        waiting = self._unfinished(folds, pictures)
        with storage_errors(self.out), claimed(self.out):
            for folder, fold in folds.items():
                if folder in waiting:
                    _log.warning("fold %d of %d", fold.number, num_folds)
                    self._train(folder, fold, pictures)
                self._report(folder)
            return self._pool(list(folds))

    def _unfinished(self, folds: Mapping[Path, Fold], pictures: Dataset) -> dict[Path, Fold]:
        """The folds that are still to be trained; all that would stop a later one is said now.

        Raises:
            UsageError: there are runs in their place that do not belong to this cross-validation.
            DatasetError: there are more folds than the pictures can be divided into.
        """
        start = Start.of(self.weights, self.seed, None, self.teachers)
        waiting: dict[Path, Fold] = {}
        for folder, fold in folds.items():
            dataset = with_splits(pictures, self.recipe.data, self.seed, fold)
            if self.is_resumed and (folder / RUN_FILE).exists():
                replace(start, fold=fold).check_same(folder, self.recipe, dataset)
            else:
                check_target(folder, resume=self.is_resumed)
                waiting[folder] = fold
        return waiting

    def _pool(self, folders: Sequence[Path]) -> Evaluation:
        answers = [load_answers(folder) for folder in folders]
        pooled = measure_scores(
            np.concatenate([part.scores for part in answers]),
            np.concatenate([part.truth for part in answers]),
            answers[0].labels,
            model=self.recipe_name,
        )
        accuracies = [float((part.scores.argmax(axis=1) == part.truth).mean()) for part in answers]
        found = {**pooled.to_json(), "folds": [str(folder) for folder in folders], "fold_accuracies": list(accuracies)}
        with whole_file(self.out / FOLDS_FILE) as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return pooled

    def _report(self, run: Path) -> None:
        """Write the report of a finished run where there is none: a kill may have come between."""
        if self.has_report and not (run / REPORT_FILE).exists():
            from train.report.run_report import write_report  # noqa: PLC0415, it must not stop a run that needs none

            write_report(run, bar, self.data)

    def _train(self, out: Path, fold: Fold | None = None, pictures: Dataset | None = None) -> Evaluation:
        @cache
        def curves() -> Curves:  # not before the first epoch: until then the directory may be another's
            return Curves(out / "tensorboard")

        def on_epoch(progress: Progress) -> None:
            if self.has_tensorboard:
                curves().add(progress.last)
            self.line.on_epoch(progress)

        return train(
            self.data,
            out,
            self.recipe,
            recipe_name=self.recipe_name,
            weights=self.weights,
            teachers=self.teachers,
            seed=self.seed,
            fold=fold,
            pictures=pictures,
            resume=self.is_resumed,
            watch=Watch(self.line.on_step, on_epoch),
            progress=bar,
        )
