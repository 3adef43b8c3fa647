"""Cameras that were never seen: each camera set in turn is left out, the head is fitted on all others, and tried on it.

python -m tests.bench.leave_one_camera_out RUN --trashnet ../shared/data/trashnet --bins ../shared/data/bins
    [--passes 3] [--seed 0] [--out model.keras]

RUN's network was trained on TrashNet alone, and stays as it is; only its last layer is fitted anew, on augmented
pictures of TrashNet's training part and of the other camera sets. Pictures to be judged are cropped to their item
where an outline is found, and squashed whole where none is. `--out` writes the network with the head that all sets
make; TrashNet's val part is never learned from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.data_folder import Dataset, scan
from edge.messages import Box
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import TRAIN_SPLIT, VAL_SPLIT, SplitRow
from edge.simulation.outline import find_outline
from train.augment import augment
from train.batches import load_sources
from train.recipes import Augment, load_recipe
from train.splits import with_splits

Floats = NDArray[np.float32]

_BATCH = 32
_EPOCHS = 40
# A camera set counts as much as this many pictures of TrashNet, however many frames it has: they resemble each other.
_SET_WEIGHT = 80


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One source of pictures: features of augmented ones to learn from, and of plain and cropped ones to judge."""

    name: str
    features: Floats
    labels: NDArray[np.intp]
    weight: float
    cropped: Floats
    whole: Floats
    truth: NDArray[np.intp]


def main() -> None:
    """Print accuracy by camera, as the network is and with the head of the others."""
    arguments = _arguments()
    model = keras.models.load_model(arguments.run / "model.keras", compile=False)
    embed = keras.Model(model.input, model.output["embedding"])
    recipe = load_recipe("efficientnet-lite0")
    enlarged = model.input_shape[1] / recipe.network.train_px
    ranges = recipe.augment.model_copy(
        update={"zoom_min": recipe.augment.zoom_min * enlarged, "zoom_max": recipe.augment.zoom_max * enlarged}
    )
    trashnet = with_splits(scan(arguments.trashnet), recipe.data, arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    base = _part(embed, trashnet, trashnet.labels, ranges, arguments.passes, rng)
    folders = [path for path in sorted(arguments.bins.iterdir()) if path.name.startswith(("duenng_", "aquatrash_"))]
    sets = [_part(embed, scan(folder), trashnet.labels, ranges, arguments.passes, rng) for folder in folders]
    _print_table(model, base, sets, arguments.seed)
    if arguments.out is not None:
        model.get_layer("logits").set_weights(_fit_head(model, [base, *sets], arguments.seed))
        model.save(arguments.out)


def _part(
    embed: keras.Model,
    dataset: Dataset,
    labels: Sequence[str],
    ranges: Augment,
    passes: int,
    rng: np.random.Generator,
) -> Part:
    size_px = embed.input_shape[1]
    is_base = dataset.has_splits
    learned, judged = (dataset.of(TRAIN_SPLIT), dataset.of(VAL_SPLIT)) if is_base else (dataset.rows, dataset.rows)
    sources = load_sources(dataset, learned, size_px, ranges.clear_labels)
    pictures = (augment(source, sources, size_px, ranges, rng) for _ in range(passes) for source in sources)
    features = _features(embed, pictures)
    spec = InputSpec(size_px, size_px)
    weight = 1.0 if is_base else min(1.0, _SET_WEIGHT / len(learned))
    index = {label: number for number, label in enumerate(labels)}
    return Part(
        dataset.root.name,
        features,
        np.array([index[row.label] for row in learned] * passes),
        weight,
        _features(embed, (_cropped(_load(dataset, row), spec) for row in judged)),
        _features(embed, (to_input(_load(dataset, row), spec) for row in judged)),
        np.array([index[row.label] for row in judged]),
    )


def _load(dataset: Dataset, row: SplitRow) -> Image:
    return load_picture(dataset.path(row))


def _cropped(image: Image, spec: InputSpec) -> Image:
    mask = find_outline(image)
    if mask is None:
        return to_input(image, spec)
    ys, xs = np.nonzero(mask)
    scale_y, scale_x = image.shape[0] / mask.shape[0], image.shape[1] / mask.shape[1]
    left, top = round(xs.min() * scale_x), round(ys.min() * scale_y)
    box = Box(left, top, round((xs.max() + 1) * scale_x) - left, round((ys.max() + 1) * scale_y) - top)
    return to_input(image, spec, box)


def _features(embed: keras.Model, pictures: Iterator[Image]) -> Floats:
    parts: list[Floats] = []
    batch: list[Image] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == _BATCH:
            parts.append(np.asarray(embed.predict_on_batch(np.stack(batch).astype(np.float32))))
            batch = []
    if batch:
        parts.append(np.asarray(embed.predict_on_batch(np.stack(batch).astype(np.float32))))
    return np.concatenate(parts)


def _fit_head(model: keras.Model, parts: Sequence[Part], seed: int) -> list[Floats]:
    """Kernel and bias of the last layer, fitted from those of the model."""
    keras.utils.set_random_seed(seed)
    first = model.get_layer("logits").get_weights()
    targets = np.eye(first[1].size, dtype=np.float32)[np.concatenate([part.labels for part in parts])]
    weights = np.concatenate([np.full(len(part.labels), part.weight, np.float32) for part in parts])
    frequency = (targets * weights[:, np.newaxis]).sum(axis=0)
    weights *= np.sqrt(1 / frequency)[targets.argmax(axis=1)]
    head = keras.Sequential([keras.Input(first[0].shape[:1]), keras.layers.Dense(first[1].size)])
    head.set_weights(first)
    head.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-3, _EPOCHS * len(targets) // 256)),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    )
    features = np.concatenate([part.features for part in parts])
    scaled = weights / weights.mean()
    head.fit(features, targets, sample_weight=scaled, epochs=_EPOCHS, batch_size=256, verbose=0)
    fitted: list[Floats] = head.get_weights()
    return fitted


def _accuracy(head: Sequence[Floats], features: Floats, truth: NDArray[np.intp]) -> float:
    return float(((features @ head[0] + head[1]).argmax(axis=1) == truth).mean())


def _print_table(model: keras.Model, base: Part, sets: Sequence[Part], seed: int) -> None:
    own = model.get_layer("logits").get_weights()
    print("| camera | pictures | no camera set seen: whole | cropped | the other cameras seen: cropped |")
    print("|---|---|---|---|---|")
    table = []
    for left_out in sets:
        head = _fit_head(model, [base, *(part for part in sets if part is not left_out)], seed)
        row = [
            _accuracy(own, left_out.whole, left_out.truth),
            _accuracy(own, left_out.cropped, left_out.truth),
            _accuracy(head, left_out.cropped, left_out.truth),
        ]
        table.append(row)
        print(f"| {left_out.name} | {len(left_out.truth)} | " + " | ".join(f"{value:.1%}" for value in row) + " |")
    print("| **mean of cameras** | | " + " | ".join(f"{value:.1%}" for value in np.mean(table, axis=0)) + " |")
    head = _fit_head(model, [base, *sets], seed)
    print(f"TrashNet val, whole: {_accuracy(own, base.whole, base.truth):.2%} with the network's own head,", end=" ")
    print(f"{_accuracy(head, base.whole, base.truth):.2%} with the head of all cameras")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
