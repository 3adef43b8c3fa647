"""Train a network through a recipe's phases, epoch by epoch, so that a kill costs one epoch at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge.classifiers.temperature import negative_log_likelihood
from edge.errors import ConfigError
from edge.preprocess import Image
from train.fitting.average import WeightAverage
from train.fitting.checkpoint import Checkpoint, save_checkpoint, values_of
from train.fitting.progress import Epoch, Progress, Watch
from train.fitting.run_directory import write_history
from train.fitting.schedule import is_over, plateau_rate
from train.networks.devices import mixed_precision, should_compile
from train.networks.model import build_model, set_trainable
from train.pictures.ahead import Reading
from train.pictures.material import Material
from train.recipes import Fit, Phase, Recipe

_PREDICT_BATCH = 32
_FOCUS = 2.0  # gamma of Lin et al. 2017, arXiv:1708.02002


class PhaseFitter:
    """A training run between its first and its last epoch. `model` is at `train_px`, what ships at `input_px`."""

    def __init__(
        self,
        model: keras.Model,
        material: Material,
        *,
        is_pretrained: bool,
        out: Path,
        key: str,
        num_threads: int,
        watch: Watch,
    ) -> None:
        self._recipe, self._material = material.recipe, material
        self._model = model
        self._shipped = build_model(self._recipe, material.targets.shape[1], self._recipe.network.input_px)
        self._is_pretrained, self._watch = is_pretrained, watch
        self._out, self._key, self._num_threads = out, key, num_threads
        self._history: list[Epoch] = []
        self._best: list[NDArray[np.generic]] = []
        self._network = model
        self._average: WeightAverage | None = None

    @property
    def history(self) -> tuple[Epoch, ...]:
        """The epochs so far."""
        return tuple(self._history)

    def run(self, checkpoint: Checkpoint | None = None) -> keras.Model:
        """Train all phases, from the checkpoint on where there is one, and return the model to ship."""
        if checkpoint is not None:
            self._history = list(checkpoint.history)
            self._best = checkpoint.best
            self._model.set_weights(checkpoint.network)
        for number, phase in enumerate(self._recipe.phases, start=1):
            if self._history and number < self._history[-1].phase:
                continue
            self._begin(phase)
            if checkpoint is not None and number == checkpoint.history[-1].phase:
                self._restore(checkpoint)
            while not is_over(phase, self._val_losses(number)):
                self._train_epoch(number, phase)
            self._take_kept()
        return self._shipped

    def _val_losses(self, phase_number: int) -> list[float]:
        return [epoch.val_loss for epoch in self._history if epoch.phase == phase_number]

    def _begin(self, phase: Phase) -> None:
        """Compile the network for a phase, with a fresh optimizer and a fresh average."""
        size_px = phase.train_px or self._recipe.network.train_px
        if self._model.input_shape[1] != size_px:
            with mixed_precision():
                twin = build_model(self._recipe, self._material.targets.shape[1], size_px)
            twin.set_weights(self._model.get_weights())
            self._model = twin
        set_trainable(self._model, phase.trainable if self._is_pretrained else "all")
        self._network = keras.Model(self._model.input, self._model.output["logits"])
        optimizer = make_optimizer(self._recipe.fit, phase, len(self._material.batches(0)))
        loss = make_loss(self._material.fit)
        self._network.compile(optimizer, loss, weighted_metrics=["accuracy"], jit_compile=should_compile())
        optimizer.build(self._network.trainable_variables)
        self._build_measures()
        momentum = self._recipe.fit.average_momentum
        self._average = WeightAverage(self._network, momentum) if momentum else None

    def _build_measures(self) -> None:
        """Have loss and metrics ready before the first epoch.

        Where they are not, Keras on JAX takes the first batch of a process aside to build them, and shows it last: a
        resumed run would see its batches in another order.
        """
        nothing = keras.ops.zeros((1, self._material.targets.shape[1]))
        weight = keras.ops.ones((1,))
        self._network.compute_loss(y=nothing, y_pred=nothing, sample_weight=weight)
        self._network.compute_metrics(None, nothing, nothing, weight)

    def _restore(self, checkpoint: Checkpoint) -> None:
        for variable, value in zip(self._network.optimizer.variables, checkpoint.optimizer, strict=True):
            variable.assign(value)
        if self._average is not None:
            self._average.restore(checkpoint.average, checkpoint.num_averaged)

    def _train_epoch(self, number: int, phase: Phase) -> None:
        started_s = time.monotonic()
        index = len(self._history)
        if phase.schedule == "plateau":
            self._network.optimizer.learning_rate = plateau_rate(phase, self._val_losses(number))
        learning_rate = float(self._network.optimizer.learning_rate)
        batches = self._material.batches(index, self._model.input_shape[1])
        callbacks: list[keras.callbacks.Callback] = [_Reseed(self._material.seed, index)]
        if self._average is not None:
            callbacks.append(self._average)
        if self._watch.on_step is not None:
            callbacks.append(_Steps(self._watch.on_step, len(batches)))
        # Keras would shuffle the batches by Python's own generator, whose state no checkpoint holds.
        fitted = self._network.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
        self._put_into_shipped()
        val_loss, val_accuracy = self._validate()
        loss, accuracy = (float(fitted.history[key][-1]) for key in ("loss", "accuracy"))
        epoch_s = time.monotonic() - started_s
        if not np.isfinite([loss, val_loss]).all():
            raise ConfigError(
                f"the loss of epoch {index + 1} is {loss:g}, and {val_loss:g} on validation pictures: the weights have"
                f" left all bounds, and would never come back; train again with a rate below {learning_rate:.2g}"
                f" (--set phases.{number - 1}.learning_rate=...) into another --out"
            )
        self._finish(Epoch(index + 1, number, loss, accuracy, val_loss, val_accuracy, learning_rate, epoch_s))

    def _put_into_shipped(self) -> None:
        if self._average is None:
            self._shipped.set_weights(self._model.get_weights())
            return
        with self._average.applied():
            self._shipped.set_weights(self._model.get_weights())

    def _validate(self) -> tuple[float, float]:
        val = self._material.val
        logits = predict(self._shipped, val.inputs)
        return negative_log_likelihood(logits, val.truth), float((logits.argmax(axis=1) == val.truth).mean())

    def _finish(self, epoch: Epoch) -> None:
        is_best = all(epoch.val_loss < earlier.val_loss for earlier in self._history)
        self._history.append(epoch)
        if self._recipe.fit.keep == "best" and is_best:
            self._best = self._shipped.get_weights()
        average = self._average
        checkpoint = Checkpoint(
            key=self._key,
            num_threads=self._num_threads,
            history=tuple(self._history),
            network=self._model.get_weights(),
            optimizer=values_of(self._network.optimizer.variables),
            average=list(average.means) if average else [],
            num_averaged=average.num_steps if average else 0,
            best=self._best,
        )
        save_checkpoint(checkpoint, self._out)
        write_history(self._out, self._history)
        if self._watch.on_epoch is not None:
            self._watch.on_epoch(Progress(tuple(self._history), self._recipe.num_epochs))

    def _take_kept(self) -> None:
        """What would ship by now is what ships, and what the next phase starts from."""
        self._put_into_shipped()
        if self._best:
            self._shipped.set_weights(self._best)
        self._model.set_weights(self._shipped.get_weights())


class _Steps(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, on_step: Callable[[int, int], None], num_steps: int) -> None:
        super().__init__()
        self._on_step, self._num_steps = on_step, num_steps

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002, Keras's signature
        self._on_step(batch + 1, self._num_steps)


class _Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Dropout draws by seed and epoch alone, so that a resumed epoch drops what it would have dropped.

    Set when the epoch begins, since Keras draws once while it builds a network, in the first epoch of a process only.
    """

    def __init__(self, seed: int, epoch_index: int) -> None:
        super().__init__()
        self._seed, self._epoch_index = seed, epoch_index

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002, Keras's signature
        for number, layer in enumerate(self.model.layers):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign([(self._seed * 1009 + number) % 2**31, self._epoch_index * 65_536])


def make_loss(fit: Fit) -> keras.losses.Loss:
    """The loss by name, on logits."""
    if fit.loss == "focal":
        return keras.losses.CategoricalFocalCrossentropy(
            alpha=1.0, gamma=_FOCUS, from_logits=True, label_smoothing=fit.label_smoothing
        )
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=fit.label_smoothing)


def make_optimizer(fit: Fit, phase: Phase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer by name, along the phase's schedule; weight decay spares biases and batch norms."""
    rate: float | keras.optimizers.schedules.LearningRateSchedule = phase.learning_rate
    if phase.schedule == "cosine":
        warmup_steps = round(phase.warmup_epochs * steps_per_epoch)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup_steps else phase.learning_rate,
            decay_steps=max(1, phase.epochs * steps_per_epoch - warmup_steps),
            warmup_target=phase.learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        )
    if fit.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=fit.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def predict(model: keras.Model, images: Sequence[Image]) -> NDArray[np.float32]:
    """Logits (N, C) for N pictures at the model's size."""
    starts = range(0, len(images), _PREDICT_BATCH)
    parts = [
        model.predict_on_batch(np.stack(images[start : start + _PREDICT_BATCH]).astype(np.float32)) for start in starts
    ]
    return np.concatenate([np.asarray(part["logits"]) for part in parts])


def fit_probe(model: keras.Model, material: Material, recipe: Recipe, progress: Reading = iter) -> float:
    """Train the last layer alone on features of augmented pictures, so that fine-tuning starts from a sound head.

    Returns its training accuracy; `progress` passes on the batches.
    """
    head = recipe.head
    if head is None:
        raise ValueError("expected a recipe with a [head] section")
    features = keras.Model(model.input, model.output["embedding"])
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    passes = [material.batches(2**31 - number) for number in range(1, head.passes + 1)]  # that no epoch repeats
    for batches, index in progress([(one, index) for one in passes for index in range(len(one))]):
        images, targets, weights = batches[index]
        for part, value in zip(parts, (features.predict_on_batch(images), targets, weights), strict=True):
            part.append(np.asarray(value, np.float32))
    embeddings, targets, weights = (np.concatenate(part) for part in parts)
    probe = keras.Sequential([keras.Input(embeddings.shape[1:]), keras.layers.Dense(targets.shape[1])])
    probe.compile(keras.optimizers.Adam(head.learning_rate), make_loss(material.fit), weighted_metrics=["accuracy"])
    fitted = probe.fit(
        embeddings, targets, sample_weight=weights, epochs=head.epochs, batch_size=recipe.fit.batch_size, verbose=0
    )
    model.get_layer("logits").set_weights(probe.get_weights())
    return float(fitted.history["accuracy"][-1])
