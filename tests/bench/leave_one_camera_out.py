"""Cameras never seen: each camera set in turn is left out, a network is trained on the others, and tried on it.

python -m tests.bench.leave_one_camera_out RUN --trashnet ../shared/data/trashnet --bins ../shared/data/bins --out OUT
    [--recipe efficientnet-lite0] [--epochs 3] [--learning-rate 3e-4]

RUN's network was trained on TrashNet alone. From there it is trained on TrashNet's training part and the other camera
sets, by the recipe, for some epochs. Pictures to be judged are cropped to their item as a bin finds it, on the empty
scene that tests.bench.cameras has for the camera; else along an outline; and squashed whole where neither is there. As
in the loop, each is seen at four quarter turns. Runs stay in OUT, and this goes on where it was stopped. TrashNet's val
part is never learned from.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.classifiers.base import softmax
from edge.data_folder import Dataset, scan
from edge.messages import Box, Phase
from edge.preprocess import Image, InputSpec, load_picture, to_input, turned
from edge.run import RUN_FILE, VAL_SPLIT, SplitRow
from edge.simulation.outline import find_outline
from tests.bench.cameras import SETS, found_in
from tests.bench.with_cameras import cameras_of, write_folder
from train.fitting.fit import train
from train.fitting.phases import predict
from train.recipes import Recipe, load_recipe


def main() -> None:
    """Print accuracy by camera, for the network that saw no camera and for the one that saw the others."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    recipe = _short(load_recipe(arguments.recipe), arguments.epochs, arguments.learning_rate)
    cameras = cameras_of(arguments.bins)
    trashnet = scan(arguments.trashnet)
    plain = keras.models.load_model(arguments.run / "model.keras", compile=False)
    print("| camera | pictures | found | no camera seen: whole | cropped | the others seen: cropped | TrashNet val |")
    print("|---|---|---|---|---|---|---|", flush=True)
    val = _read(trashnet, trashnet.of(VAL_SPLIT), trashnet.labels)
    table = []
    for camera in cameras:
        others = [other for other in cameras if other != camera]
        model = _trained(arguments.out / camera.name, recipe, arguments, others)
        unseen = scan(camera)
        whole = _read(unseen, unseen.rows, trashnet.labels)
        cropped = replace(whole, boxes=_item_boxes(whole.images, camera, arguments.bins))
        row = [_accuracy(plain, whole), _accuracy(plain, cropped), _accuracy(model, cropped), _accuracy(model, val)]
        table.append(row)
        num_found = sum(box is not None for box in cropped.boxes)
        print(f"| {camera.name} | {len(cropped.boxes)} | {num_found} | " + _percents(row), flush=True)
    print("| **mean of cameras** | | | " + _percents(np.mean(table, axis=0).tolist()))


def _short(recipe: Recipe, epochs: int, learning_rate: float) -> Recipe:
    """The recipe's last phase alone, for a network that is trained already."""
    phase = recipe.phases[-1].model_copy(
        update={"epochs": epochs, "learning_rate": learning_rate, "warmup_epochs": 0.3, "schedule": "cosine"}
    )
    return recipe.model_copy(update={"phases": (phase,)})


def _trained(out: Path, recipe: Recipe, arguments: argparse.Namespace, cameras: Sequence[Path]) -> keras.Model:
    if not (out / RUN_FILE).exists():
        with tempfile.TemporaryDirectory() as scratch:
            write_folder(Path(scratch), arguments.trashnet, cameras)
            weights = str(arguments.run / "model.keras")
            train(Path(scratch), out, recipe, recipe_name=arguments.recipe, weights=weights, resume=True)
    return keras.models.load_model(out / "model.keras", compile=False)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Pictures, where their items lie (None: the whole picture), and their class indices (N,)."""

    images: Sequence[Image]
    boxes: Sequence[Box | None]
    truth: NDArray[np.intp]


def _read(dataset: Dataset, rows: Sequence[SplitRow], labels: Sequence[str]) -> Judged:
    images = [load_picture(dataset.path(row)) for row in rows]
    return Judged(images, [None] * len(images), np.array([labels.index(row.label) for row in rows], np.intp))


def _accuracy(model: keras.Model, judged: Judged) -> float:
    """The share of pictures that are right by the mean of the log scores over four quarter turns."""
    spec = InputSpec(model.input_shape[1], model.input_shape[1])
    inputs = [to_input(image, spec, box) for image, box in zip(judged.images, judged.boxes, strict=True)]
    views = [np.stack([turned(one, num_turns) for one in inputs]) for num_turns in range(4)]
    total = sum(np.log(np.maximum(softmax(predict(model, view), 1.0), 1e-6)) for view in views)
    return float((np.argmax(total, axis=1) == judged.truth).mean())


def _item_boxes(images: Sequence[Image], camera: Path, bins: Path) -> list[Box | None]:
    """Where the item lies in each picture, None where it cannot be told."""
    scenes = SETS.get(camera.name)
    if scenes is None:
        return [_outlined(image) for image in images]
    return [
        _on_scene(image, empty) or _outlined(image) for image, empty in zip(images, scenes(images, bins), strict=True)
    ]


def _on_scene(image: Image, empty: Image) -> Box | None:
    phase, box = found_in(image, empty)
    return box if phase is Phase.SETTLED else None


def _outlined(image: Image) -> Box | None:
    mask = find_outline(image)
    if mask is None:
        return None
    ys, xs = np.nonzero(mask)
    scale_y, scale_x = image.shape[0] / mask.shape[0], image.shape[1] / mask.shape[1]
    left, top = round(xs.min() * scale_x), round(ys.min() * scale_y)
    return Box(left, top, round((xs.max() + 1) * scale_x) - left, round((ys.max() + 1) * scale_y) - top)


def _percents(values: Sequence[float]) -> str:
    return " | ".join(f"{value:.1%}" for value in values) + " |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="efficientnet-lite0")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    return parser.parse_args()


if __name__ == "__main__":
    main()
