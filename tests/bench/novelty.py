"""Which measure tells strangers from known items best, and what each refuses of right answers.

python -m tests.bench.novelty --trashnet ../shared/data/trashnet --bins ../shared/data/bins [--bundle BUNDLE]
    [--every 1]

Every measure is fitted on TrashNet's training pictures, and its limit lets 98 % of the held-out ones pass. Strangers
are hands, empty scenes and fruit; what is refused of sure answers on cameras that no training has seen is the price.
One inference a picture, some 4,000 of them; `--every 10` takes one in ten, to see that it runs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.cameras.replay import VideoFile, pictures_below
from edge.classifiers.litert import LiteRTClassifier
from edge.deciding.novelty import REFUSED_SHARE, distances, fit_class_means, fit_prototypes
from edge.messages import Image
from edge.preprocess import load_picture, to_input

Floats = NDArray[np.float32]
Measure = Callable[["Answers"], Floats]

FRUIT = "videos/intel_fruit-and-vegetable.mp4"
CAMERAS = ("duenng_*", "aquatrash_crops")
# A score from which the default policy may accept.
SURE = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Of N pictures: logits (N, C), embeddings (N, D) and, where there are any, true class indices (N,), else -1."""

    logits: Floats
    embeddings: Floats
    truth: NDArray[np.int64]


def answers(classifier: LiteRTClassifier, every: int, pictures: Iterable[tuple[Image, str]]) -> Answers:
    """What the classifier makes of one in `every` whole pictures with their labels; "" stands for none."""
    logits, embeddings, truth = [], [], []
    for image, label in islice(pictures, 0, None, every):
        one, embedding, _ = classifier.infer(to_input(image, classifier.input_spec))
        if embedding is None:
            raise SystemExit("the model gives no embedding: take another bundle")
        logits.append(one)
        embeddings.append(embedding)
        truth.append(classifier.labels.index(label) if label in classifier.labels else -1)
    return Answers(np.stack(logits), np.stack(embeddings), np.array(truth, np.int64))


def trashnet(folder: Path, split: str) -> Iterable[tuple[Image, str]]:
    """The pictures of one split."""
    with (folder / "groups.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return ((load_picture(folder / row["path"]), row["label"]) for row in rows)


def strangers(bins: Path) -> dict[str, Iterable[tuple[Image, str]]]:
    """What is none of the classes, by name."""
    frames = list(VideoFile(bins / FRUIT).play())[::3]
    return {
        "hands": ((load_picture(path), "") for path in pictures_below(bins / "hands_ardamavi")),
        "empty": ((load_picture(path), "") for path in pictures_below(bins / "empty")),
        "fruit": ((image, "") for _, image in frames),
    }


def unseen_cameras(bins: Path) -> Iterable[tuple[Image, str]]:
    """Known things before cameras that no training has seen."""
    folders = [folder for pattern in CAMERAS for folder in sorted(bins.glob(pattern))]
    return ((load_picture(path), path.parent.name) for folder in folders for path in pictures_below(folder))


def measures(known: Answers, num_classes: int) -> dict[str, Measure]:
    """Each says how strange pictures are; greater is stranger."""
    means = np.stack([known.embeddings[known.truth == index].mean(axis=0) for index in range(num_classes)])
    directions = fit_class_means(known.embeddings, known.truth, num_classes)
    prototypes = fit_prototypes(known.embeddings, known.truth, num_classes)
    within = known.embeddings - means[known.truth]
    # As many axes as carry most of the variance; the rest of the space has its mean variance.
    _, lengths, axes = np.linalg.svd(within, full_matrices=False)
    variances = lengths**2 / len(within)
    center = known.embeddings.mean(axis=0)
    _, _, main_axes = np.linalg.svd(known.embeddings - center, full_matrices=False)
    return {
        "highest score": lambda one: 1 - softmax(one.logits).max(axis=1),
        "energy": lambda one: -np.logaddexp.reduce(one.logits, axis=1),
        "nearest mean, cosine": lambda one: distances(directions, one.embeddings),
        "nearest prototype, cosine": lambda one: distances(prototypes, one.embeddings),
        "nearest mean, Euclid": lambda one: np.linalg.norm(one.embeddings[:, None] - means[None], axis=2).min(axis=1),
        "Mahalanobis, 128 axes": lambda one: mahalanobis(one.embeddings, means, variances, axes, 128),
        "residual of 32 axes": lambda one: residual(one.embeddings - center, main_axes[:32]),
    }


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def mahalanobis(embeddings: Floats, means: Floats, variances: Floats, axes: Floats, num_axes: int) -> Floats:
    """The squared distance to the nearest class, with one covariance for all (N,)."""
    rest = variances[num_axes:].sum() / (means.shape[1] - num_axes)
    nearest = np.full(len(embeddings), np.inf)
    for mean in means:
        offsets = embeddings - mean
        along = offsets @ axes[:num_axes].T
        beyond = (offsets**2).sum(axis=1) - (along**2).sum(axis=1)
        nearest = np.minimum(nearest, (along**2 / variances[:num_axes]).sum(axis=1) + beyond / rest)
    return np.asarray(nearest, np.float32)


def residual(offsets: Floats, axes: Floats) -> Floats:
    """The share of the length that the axes do not explain, (N,)."""
    along = offsets @ axes.T
    whole = (offsets**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(0, whole - (along**2).sum(axis=1)) / whole), np.float32)


def auroc(known: Floats, strange: Floats) -> float:
    """How often a stranger is stranger than a known item, ties by half."""
    order = np.sort(known)
    below, through = np.searchsorted(order, strange, "left"), np.searchsorted(order, strange, "right")
    return float((below + through).mean() / 2 / len(known))


def main() -> None:
    """Print a line for each measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE)
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = load_bundle(arguments.bundle)
    classifier = LiteRTClassifier(bundle, 1)
    answered = partial(answers, classifier, arguments.every)
    known = answered(trashnet(arguments.trashnet, "train"))
    held_out = answered(trashnet(arguments.trashnet, "val"))
    strange = {name: answered(pictures) for name, pictures in strangers(arguments.bins).items()}
    unseen = answered(unseen_cameras(arguments.bins))
    is_right = unseen.logits.argmax(axis=1) == unseen.truth
    is_sure = softmax(unseen.logits / bundle.manifest.temperature).max(axis=1) >= SURE
    print(f"AUROC / refused at the limit that {1 - REFUSED_SHARE:.0%} of {len(held_out.truth)} held-out pictures pass;")
    print(
        f"the last two: refused of {(is_sure & is_right).sum()} right and {(is_sure & ~is_right).sum()} wrong answers"
    )
    print("on unseen cameras that the scores alone would accept")
    counts = "".join(f"{f'{name} ({len(one.truth)})':>16}" for name, one in strange.items())
    print(f"{'measure':24}{counts}{'right':>8}{'wrong':>8}")
    for name, measure in measures(known, len(classifier.labels)).items():
        passing = measure(held_out)
        limit = np.quantile(passing, 1 - REFUSED_SHARE)
        columns = "".join(
            f"{f'{auroc(passing, values):.3f} / {np.mean(values > limit):4.0%}':>16}"
            for values in (measure(one) for one in strange.values())
        )
        refused = measure(unseen) > limit
        prices = "".join(f"{refused[is_sure & chosen].mean():8.0%}" for chosen in (is_right, ~is_right))
        print(f"{name:24}{columns}{prices}")


if __name__ == "__main__":
    main()
