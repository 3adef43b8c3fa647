"""Cameras never seen: each camera set in turn is left out, a network is trained on the others, and tried on it.

python -m tests.bench.leave_one_camera_out RUN --trashnet ../shared/data/trashnet --bins ../shared/data/bins --out OUT
    [--recipe efficientnet-lite0] [--epochs 3] [--learning-rate 3e-4]

RUN's network was trained on TrashNet alone. From there it is trained on TrashNet's training part and the other camera
sets, by the recipe, for some epochs. Pictures to be judged are cropped to their item where an outline is found, and
squashed whole where none is. Runs stay in OUT, and this goes on where it was stopped. TrashNet's val part is never
learned from.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from edge.data_folder import Dataset, scan
from edge.messages import Box
from edge.preprocess import Image, InputSpec, load_picture, to_input
from edge.run import RUN_FILE, VAL_SPLIT, SplitRow
from edge.simulation.outline import find_outline
from tests.bench.with_cameras import cameras_of, write_folder
from train.fit import train
from train.phases import predict
from train.recipes import Recipe, load_recipe


def main() -> None:
    """Print accuracy by camera, for the network that saw no camera and for the one that saw the others."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING)
    recipe = _short(load_recipe(arguments.recipe), arguments.epochs, arguments.learning_rate)
    cameras = cameras_of(arguments.bins)
    trashnet = scan(arguments.trashnet)
    plain = keras.models.load_model(arguments.run / "model.keras", compile=False)
    print("| camera | pictures | no camera seen: whole | cropped | the other cameras seen: cropped | TrashNet val |")
    print("|---|---|---|---|---|---|", flush=True)
    table = []
    for camera in cameras:
        others = [other for other in cameras if other != camera]
        model = _trained(arguments.out / camera.name, recipe, arguments, others)
        unseen = scan(camera)
        row = [
            _accuracy(plain, unseen, unseen.rows, trashnet.labels, should_crop=False),
            _accuracy(plain, unseen, unseen.rows, trashnet.labels, should_crop=True),
            _accuracy(model, unseen, unseen.rows, trashnet.labels, should_crop=True),
            _accuracy(model, trashnet, trashnet.of(VAL_SPLIT), trashnet.labels, should_crop=False),
        ]
        table.append(row)
        print(f"| {camera.name} | {len(unseen.rows)} | " + _percents(row), flush=True)
    print("| **mean of cameras** | | " + _percents(np.mean(table, axis=0).tolist()))


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


def _accuracy(
    model: keras.Model, dataset: Dataset, rows: Sequence[SplitRow], labels: Sequence[str], *, should_crop: bool
) -> float:
    spec = InputSpec(model.input_shape[1], model.input_shape[1])
    pictures = (load_picture(dataset.path(row)) for row in rows)
    inputs = [_cropped(picture, spec) if should_crop else to_input(picture, spec) for picture in pictures]
    answers = predict(model, np.stack(inputs)).argmax(axis=1)
    return float((answers == [labels.index(row.label) for row in rows]).mean())


def _cropped(image: Image, spec: InputSpec) -> Image:
    mask = find_outline(image)
    if mask is None:
        return to_input(image, spec)
    ys, xs = np.nonzero(mask)
    scale_y, scale_x = image.shape[0] / mask.shape[0], image.shape[1] / mask.shape[1]
    left, top = round(xs.min() * scale_x), round(ys.min() * scale_y)
    box = Box(left, top, round((xs.max() + 1) * scale_x) - left, round((ys.max() + 1) * scale_y) - top)
    return to_input(image, spec, box)


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
