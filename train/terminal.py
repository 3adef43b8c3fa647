"""What the commands of training show at a terminal. Light to import."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from edge.commands.options import verbosity
from edge.listing import columns_of, padded, some_of

if TYPE_CHECKING:
    from train.fitting.progress import Progress
    from train.measuring.metrics import ClassMetrics, Evaluation

T = TypeVar("T")

_BAR_WIDTH = 24
_MOST_MISTAKEN = 6  # classes that one is told to be taken for


class ProgressLine:
    """On stderr: a line for every epoch, and at a terminal a bar that moves within it."""

    def __init__(self) -> None:
        self._num_epochs, self._epoch, self._began_s = 0, 1, time.monotonic()
        self._is_live = sys.stderr.isatty() and verbosity() >= 0

    def on_step(self, done: int, total: int) -> None:
        """Steps of the running epoch."""
        if done == 1:
            self._began_s = time.monotonic()
        if not self._is_live or done < 2:
            return
        left_s = (time.monotonic() - self._began_s) / (done - 1) * (total - done)
        filled = "#" * round(_BAR_WIDTH * done / total)
        of = f"/{self._num_epochs}" if self._num_epochs else ""
        line = f"epoch {self._epoch}{of} [{filled:-<{_BAR_WIDTH}}] {done}/{total}, {left_s:.0f} s left in it"
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)

    def on_epoch(self, progress: Progress) -> None:
        """An epoch's end."""
        epoch = progress.last
        self._epoch, self._num_epochs = epoch.epoch + 1, progress.num_epochs
        if verbosity() < 0:
            return
        start = "\r\x1b[K" if self._is_live else ""
        click.echo(
            f"{start}epoch {epoch.epoch}/{progress.num_epochs}: loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.1%},"
            f" val loss {epoch.val_loss:.3f}, val accuracy {epoch.val_accuracy:.1%},"
            f" {epoch.epoch_s:.0f} s, {progress.left_s / 60:.1f} min left",
            err=True,
        )


def bar(things: Sequence[T]) -> Iterable[T]:
    """A progress bar on stderr, at a terminal only."""
    if not sys.stderr.isatty() or verbosity() < 0:
        return things
    return _with_bar(things)


def _with_bar(things: Sequence[T]) -> Iterator[T]:
    with click.progressbar(things, label="pictures", file=sys.stderr) as bar:
        yield from bar


def summary(evaluation: Evaluation) -> str:
    """Accuracy, and a line for each class."""
    low, high = evaluation.accuracy_ci95
    width = max(columns_of(label) for label in evaluation.labels)
    surest = ", ".join(f"{float(part):.0%} {share:.2%}" for part, share in evaluation.selective.items())
    head = f"{evaluation.model}: accuracy {evaluation.accuracy:.2%} (95 % interval {low:.1%} to {high:.1%})"
    return "\n".join(
        [
            f"{head}, macro F1 {evaluation.macro_f1:.2%}, calibration error {evaluation.ece:.3f}",
            f"accuracy on the surest: {surest}",
            f"{'':{width}}  precision  recall      F1  pictures  taken for",
            *(_class_line(evaluation, index, width) for index in range(len(evaluation.labels))),
        ]
    )


def _class_line(evaluation: Evaluation, index: int, width: int) -> str:
    label = evaluation.labels[index]
    one: ClassMetrics = evaluation.per_class[label]
    if not one.support:  # shares of nothing say nothing
        return f"{padded(label, width)}  {'no pictures':>25} {0:9d}"
    shares = f"{one.precision:9.1%} {one.recall:7.1%} {one.f1:7.1%}"
    return f"{padded(label, width)}  {shares} {one.support:9d}  {_taken_for(evaluation, index)}"


def _taken_for(evaluation: Evaluation, index: int) -> str:
    """What a class was mistaken for, the commonest first: a matrix of many classes has lines that no terminal holds."""
    answers = zip(evaluation.labels, evaluation.confusion_matrix[index], strict=True)
    wrong = [(name, count) for name, count in answers if count and name != evaluation.labels[index]]
    return some_of([f"{name} {count}" for name, count in sorted(wrong, key=lambda one: -one[1])], _MOST_MISTAKEN)


def columns(title: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table with a column for each name, as wide as its widest cell."""
    first = max(columns_of(name) for name in (title, *(name for name, _ in rows)))
    widths = [max(len(name), *(len(cells[index]) for _, cells in rows)) for index, name in enumerate(names)]
    lines = [(title, names), *rows]
    return "\n".join(
        f"{padded(name, first)}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        for name, cells in lines
    )
