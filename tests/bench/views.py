"""What a second view of an item is worth: another way round, for each set of pictures.

    python -m tests.bench.views DATA [DATA ...] [--bundle BUNDLE] [--count 300]

DATA is a data folder; of one with splits the val part is used, of a larger one `--count` pictures by lot. A view
costs one inference, and so does one more frame, which of an item at rest shows the same again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.data_folder import labelled_pictures, scan
from edge.messages import Image
from edge.preprocess import to_input, turned
from edge.run import VAL_SPLIT

CHOICES: Mapping[str, tuple[str, ...]] = {
    "one view": ("as it is",),
    "and its mirror image": ("as it is", "mirrored"),
    "and a quarter turn": ("as it is", "quarter"),
    "and a half turn": ("as it is", "half"),
    "three turns": ("as it is", "quarter", "half"),
    "four turns": ("as it is", "quarter", "half", "three quarters"),
}


def views_of(picture: Image) -> dict[str, Image]:
    """The picture every way round."""
    names = ("as it is", "quarter", "half", "three quarters")
    views = {name: turned(picture, times) for times, name in enumerate(names)}
    return {**views, "mirrored": np.ascontiguousarray(picture[:, ::-1])}


def measure(classifier: LiteRTClassifier, folder: Path, count: int) -> tuple[dict[str, NDArray[np.float64]], list[int]]:
    """Log scores (N, C) of each view, and the true classes (N)."""
    dataset = scan(folder)
    rows = list(dataset.of(VAL_SPLIT) if dataset.has_splits else dataset.rows)
    rows = random.Random(0).sample(rows, min(count, len(rows)))  # noqa: S311  (a choice of pictures)
    said: dict[str, list[NDArray[np.float64]]] = {}
    truth = []
    for row, _, image in labelled_pictures(dataset, rows, classifier.labels, [], iter):
        truth.append(classifier.labels.index(row.label))
        for name, view in views_of(to_input(image, classifier.input_spec)).items():
            scores = classifier.classify(view).scores.astype(np.float64)
            said.setdefault(name, []).append(np.log(np.maximum(scores, 1e-4)))
    return {name: np.stack(logs) for name, logs in said.items()}, truth


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--bundle", type=click.Path(path_type=Path), default=DEFAULT_BUNDLE)
@click.option("--count", default=300, show_default=True, type=click.IntRange(1))
def main(folders: tuple[Path, ...], bundle: Path, count: int) -> None:
    """Log loss, and how many are right, for each choice of views."""
    classifier = LiteRTClassifier(load_bundle(bundle))
    for folder in folders:
        logs, truth = measure(classifier, folder, count)
        click.echo(f"{folder}: {len(truth)} pictures")
        for choice, names in CHOICES.items():
            mean = np.mean([logs[name] for name in names], axis=0)
            mean -= np.log(np.exp(mean).sum(axis=1, keepdims=True))
            loss = -mean[np.arange(len(truth)), truth].mean()
            click.echo(f"  {choice:<22} log loss {loss:.3f}, right {(mean.argmax(axis=1) == truth).mean():.1%}")


if __name__ == "__main__":
    main()
