"""A run as training leaves it: drawn pictures of three classes and a network that really learned them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from convert.bundle.writer import write_bundle
from convert.export import draft_bundle
from convert.source import ConvertSettings
from edge.bundle import Bundle
from edge.preprocess import InputSpec, load_picture, to_input
from edge.run import MODEL_FILE, RUN_FILE, SPLIT_FIELDS, SPLITS_FILE, DataFingerprint, Run, RunInput

LABELS = ("disc", "square", "stripes")
SIDE_PX = 32
NUM_TRAIN, NUM_VAL = 30, 20


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory; session-wide, so tests that damage it copy it first."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    pictures = tmp_path_factory.mktemp("data") / "Shapes & Stripes"
    rows = _draw_pictures(pictures)
    with (folder / SPLITS_FILE).open("w", newline="") as file:
        csv.writer(file).writerows([SPLIT_FIELDS, *rows])
    _fit_network(pictures, rows).save(folder / MODEL_FILE)
    run = Run(
        schema=1,
        created_at="2026-01-02T03:04:05Z",
        labels=LABELS,
        input=RunInput(height_px=SIDE_PX, width_px=SIDE_PX),
        backbone="three-convolutions",
        recipe="test",
        settings={},
        weights="none",
        seed=0,
        versions={"keras": "3"},
        data=DataFingerprint(root=str(pictures), num_pictures=len(rows), num_left_out=0, sha256="0" * 64),
        metrics={},
    )
    (folder / RUN_FILE).write_text(run.model_dump_json(by_alias=True))
    return folder


@pytest.fixture
def run_copy(finished_run: Path, tmp_path: Path) -> Path:
    """The same run, free to be damaged."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def int8_bundle(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The run's int8 bundle on disk; tests that damage it copy it first."""
    draft = draft_bundle(finished_run, ConvertSettings())
    out = tmp_path_factory.mktemp("bundles") / "int8"
    return write_bundle(out, draft.manifest, draft.files, should_replace=False)


def _draw_pictures(root: Path) -> list[tuple[str, str, str, str]]:
    chance = np.random.default_rng(0)
    rows = []
    for label in LABELS:
        (root / label).mkdir(parents=True)
        for number in range(NUM_TRAIN + NUM_VAL):
            path = f"{label}/{number:02}.png"
            cv2.imwrite(str(root / path), _DRAWINGS[label](chance))
            rows.append((path, label, "", "train" if number < NUM_TRAIN else "val"))
    return rows


def _ground(chance: np.random.Generator) -> NDArray[np.uint8]:
    return chance.integers(150, 200, (48, 64, 3), dtype=np.uint8)


def _disc(chance: np.random.Generator) -> NDArray[np.uint8]:
    image, center = _ground(chance), (int(chance.integers(24, 40)), int(chance.integers(20, 28)))
    cv2.circle(image, center, int(chance.integers(10, 16)), (40, 40, 220), -1)
    return image


def _square(chance: np.random.Generator) -> NDArray[np.uint8]:
    image, corner, side = _ground(chance), int(chance.integers(6, 16)), int(chance.integers(18, 26))
    cv2.rectangle(image, (corner, corner), (corner + side, corner + side), (220, 60, 40), -1)
    return image


def _stripes(chance: np.random.Generator) -> NDArray[np.uint8]:
    image = _ground(chance)
    image[:, int(chance.integers(0, 6)) :: 8] = 20
    return image


_DRAWINGS: dict[str, Callable[[np.random.Generator], NDArray[np.uint8]]] = {
    "disc": _disc,
    "square": _square,
    "stripes": _stripes,
}


def _fit_network(root: Path, rows: list[tuple[str, str, str, str]]) -> keras.Model:
    keras.utils.set_random_seed(0)
    spec = InputSpec(SIDE_PX, SIDE_PX)
    training = [row for row in rows if row[3] == "train"]
    images = np.stack([to_input(load_picture(root / row[0]), spec) for row in training]).astype(np.float32)
    truth = np.array([LABELS.index(row[1]) for row in training])
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3), name="image")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(inputs)
    for channels in (8, 16, 24):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same")(x)
        x = keras.layers.ReLU(6.0)(x)
    embedding = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    logits = keras.layers.Dense(len(LABELS), name="logits")(embedding)
    classifier = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(0.01), loss)
    classifier.fit(images, truth, batch_size=18, epochs=15, verbose=0)
    return keras.Model(inputs, {"logits": logits, "embedding": embedding})
