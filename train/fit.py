"""Fine-tune a network on a data folder and write the run directory: head first, then the network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.data_folder import Dataset, leave_out_unreadable, scan, with_splits
from edge.errors import StorageError, UsageError
from edge.preprocess import InputSpec
from edge.run import RUN_FILE, TRAIN_SPLIT, VAL_SPLIT
from train.augment import Source
from train.average import WeightAverage
from train.batches import TrainingBatches, load_inputs, load_sources
from train.metrics import Evaluation, measure
from train.network import build_model, load_weights
from train.recipes import Data, Head, Recipe
from train.run_directory import (
    CHECKPOINT_FILE,
    describe_run,
    save_model,
    write_history,
    write_results,
    write_splits,
)

_log = logging.getLogger(__name__)

_PREDICT_BATCH = 32


@dataclass(frozen=True, slots=True)
class Progress:
    """One finished epoch, counted from 1; `accuracy` is on augmented training pictures."""

    epoch: int
    num_epochs: int
    loss: float
    accuracy: float
    val_accuracy: float
    epoch_s: float

    @property
    def left_s(self) -> float:
        """How long the rest takes at the pace of this epoch."""
        return self.epoch_s * (self.num_epochs - self.epoch)

    def curves(self) -> Mapping[str, float]:
        """The line of history.csv."""
        return {
            "epoch": self.epoch,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "val_accuracy": self.val_accuracy,
            "epoch_s": self.epoch_s,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Material:
    """What the network is trained and tried on, in memory."""

    sources: list[Source]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    val_inputs: NDArray[np.uint8]
    val_labels: NDArray[np.intp]


def train(
    root: Path,
    out: Path,
    recipe: Recipe,
    *,
    recipe_name: str,
    weights: str = "imagenet",
    seed: int = 0,
    on_epoch: Callable[[Progress], None] | None = None,
) -> Evaluation:
    """Train on the train split of `root`, write the run directory `out`, and return the metrics on the val split.

    `weights` is `imagenet`, `none`, or a file as `train.network.load_weights` takes it. A CPU run with the same seed,
    data, recipe and versions gives the same weights. Blocks for as long as it takes.

    Raises:
        UsageError: `out` holds a finished run.
        DatasetError, MissingInputError: the data cannot be trained on (see `edge.data_folder`).
        StorageError: the run directory cannot be written.
    """
    if (out / RUN_FILE).exists():
        raise UsageError(f"{out} already holds a run: choose another --out, or remove it")
    dataset = with_splits(leave_out_unreadable(scan(root)), recipe.data.val_share, seed)
    for left_out in dataset.left_out:
        _log.warning("left out %s: %s", left_out.path, left_out.reason)
    keras.utils.set_random_seed(seed)
    model = build_model(recipe, len(dataset.labels), recipe.network.train_px)
    has_head = load_weights(model, recipe, weights)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_splits(out, dataset)
        material = _load_material(dataset, recipe)
        if not has_head:
            _fit_head(model, material, recipe, seed)
        shipped = _fit_network(model, material, recipe, seed=seed, out=out, on_epoch=on_epoch)
        evaluation = _evaluate(shipped, material, dataset.labels, recipe_name)
        run = describe_run(dataset, recipe, recipe_name=recipe_name, weights=weights, seed=seed, evaluation=evaluation)
        write_results(out, shipped, evaluation, run)
    except OSError as error:
        raise StorageError(f"cannot write the run directory {out}: {error}") from error
    return evaluation


def _load_material(dataset: Dataset, recipe: Recipe) -> _Material:
    rows, val_rows = dataset.of(TRAIN_SPLIT), dataset.of(VAL_SPLIT)
    _log.info("reading %d pictures to train on and %d to validate", len(rows), len(val_rows))
    labels = np.array([dataset.labels.index(row.label) for row in rows])
    spec = InputSpec(recipe.network.input_px, recipe.network.input_px)
    return _Material(
        sources=load_sources(dataset, rows, recipe.network.train_px, recipe.augment.clear_labels),
        targets=np.eye(len(dataset.labels), dtype=np.float32)[labels],
        weights=class_weights(labels, recipe.data)[labels],
        val_inputs=load_inputs(dataset, val_rows, spec),
        val_labels=np.array([dataset.labels.index(row.label) for row in val_rows]),
    )


def class_weights(labels: NDArray[np.intp], data: Data) -> NDArray[np.float32]:
    """A weight for each class, (C,), such that the pictures' mean weight is 1.

    `balanced` is n / (k n_j), King and Zeng 2001; `sqrt` is its root, a compromise with the data's own frequencies.
    """
    counts = np.bincount(labels)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[data.class_weights]
    weights = (len(labels) / (len(counts) * counts)) ** power
    scaled: NDArray[np.float32] = (weights / weights[labels].mean()).astype(np.float32)
    return scaled


def _batches(material: _Material, recipe: Recipe, seed: int, epoch: int) -> TrainingBatches:
    return TrainingBatches(
        material.sources,
        material.targets,
        material.weights,
        batch_size=recipe.fit.batch_size,
        size_px=recipe.network.train_px,
        ranges=recipe.augment,
        seed=seed,
        epoch=epoch,
    )


def _fit_head(model: keras.Model, material: _Material, recipe: Recipe, seed: int) -> None:
    """Train the last layer alone on features of augmented pictures, so that fine-tuning starts from a sound head."""
    head: Head = recipe.head
    features = keras.Model(model.input, model.output["embedding"])
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    for number in range(1, head.passes + 1):
        batches = _batches(material, recipe, seed, epoch=2**31 - number)  # augmentations that no epoch repeats
        for index in range(len(batches)):
            images, targets, weights = batches[index]
            for part, value in zip(parts, (features.predict_on_batch(images), targets, weights), strict=True):
                part.append(np.asarray(value))
    embeddings, targets, weights = (np.concatenate(part) for part in parts)
    probe = keras.Sequential([keras.Input(embeddings.shape[1:]), keras.layers.Dense(targets.shape[1])])
    probe.compile(keras.optimizers.Adam(head.learning_rate), _loss(recipe), weighted_metrics=["accuracy"])
    fitted = probe.fit(
        embeddings, targets, sample_weight=weights, epochs=head.epochs, batch_size=recipe.fit.batch_size, verbose=0
    )
    model.get_layer("logits").set_weights(probe.get_weights())
    _log.info("head fitted: training accuracy %.3f", fitted.history["accuracy"][-1])


def _loss(recipe: Recipe) -> keras.losses.Loss:
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.fit.label_smoothing)


def _optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW over a warm-up and a cosine down to zero."""
    fit = recipe.fit
    warmup_steps = round(fit.warmup_epochs * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup_steps else fit.learning_rate,
        decay_steps=max(1, fit.epochs * steps_per_epoch - warmup_steps),
        warmup_target=fit.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=fit.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _fit_network(
    model: keras.Model,
    material: _Material,
    recipe: Recipe,
    *,
    seed: int,
    out: Path,
    on_epoch: Callable[[Progress], None] | None,
) -> keras.Model:
    """Fine-tune, and return the model to ship: at its own input size, with the averaged weights.

    It is tried on the validation pictures and written as a checkpoint after every epoch.
    """
    network = keras.Model(model.input, model.output["logits"])
    steps = len(_batches(material, recipe, seed, 0))
    network.compile(_optimizer(recipe, steps), _loss(recipe), weighted_metrics=["accuracy"], jit_compile=False)
    average = WeightAverage(network, recipe.fit.average_momentum)
    shipped = build_model(recipe, material.targets.shape[1], recipe.network.input_px)
    history: list[Progress] = []
    for epoch in range(recipe.fit.epochs):
        started_s = time.monotonic()
        fitted = network.fit(_batches(material, recipe, seed, epoch), epochs=1, verbose=0, callbacks=[average])
        with average.applied():
            shipped.set_weights(model.get_weights())
        is_right = predict(shipped, material.val_inputs).argmax(axis=1) == material.val_labels
        save_model(shipped, out / CHECKPOINT_FILE)
        loss, accuracy = (float(fitted.history[key][-1]) for key in ("loss", "accuracy"))
        epoch_s = time.monotonic() - started_s
        progress = Progress(epoch + 1, recipe.fit.epochs, loss, accuracy, float(is_right.mean()), epoch_s)
        history.append(progress)
        write_history(out, [finished.curves() for finished in history])
        _report(progress, on_epoch)
    return shipped


def _report(progress: Progress, on_epoch: Callable[[Progress], None] | None) -> None:
    _log.info(
        "epoch %d/%d: loss %.3f, accuracy %.3f, val accuracy %.4f, %.0f s, %.1f min left",
        progress.epoch,
        progress.num_epochs,
        progress.loss,
        progress.accuracy,
        progress.val_accuracy,
        progress.epoch_s,
        progress.left_s / 60,
    )
    if on_epoch is not None:
        on_epoch(progress)


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, C) for pictures (N, H, W, 3) at the model's size."""
    starts = range(0, len(images), _PREDICT_BATCH)
    parts = [model.predict_on_batch(images[start : start + _PREDICT_BATCH].astype(np.float32)) for start in starts]
    return np.concatenate([np.asarray(part["logits"]) for part in parts])


def _evaluate(model: keras.Model, material: _Material, labels: tuple[str, ...], name: str) -> Evaluation:
    return measure(predict(model, material.val_inputs), material.val_labels, labels, model=name)
