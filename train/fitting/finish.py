"""A finished network: measured on what it never saw, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from edge.classifiers.temperature import negative_log_likelihood
from edge.data_folder import Dataset
from edge.preprocess import InputSpec
from edge.run import TRAIN_SPLIT
from train.fitting.phases import predict
from train.fitting.run_directory import Answers, Origin, RunFacts, describe_run, write_predictions, write_results
from train.measuring.metrics import Evaluation, measure
from train.networks.cost import multiply_adds
from train.pictures.batches import read_inputs
from train.pictures.material import HeldOut
from train.recipes import Recipe

_CHUNK = 256  # pictures in memory at once while the finished network is tried on its own training pictures


def finish(
    out: Path,
    model: keras.Model,
    dataset: Dataset,
    held_out: Sequence[HeldOut],
    recipe: Recipe,
    origin: Origin,
) -> Evaluation:
    """Measure the network that ships on `held_out`, validation first, and write its run directory.

    The metrics returned are those of the validation pictures. `splits.csv` and the curves are the caller's.
    """
    answers = [Answers(part.rows, predict(model, part.inputs)) for part in held_out]
    found = [
        measure(part.logits, of.truth, dataset.labels, model=origin.recipe_name)
        for part, of in zip(answers, held_out, strict=True)
    ]
    more = _on_training_pictures(model, dataset)
    more["val_loss"] = negative_log_likelihood(answers[0].logits, held_out[0].truth)
    for test in found[1:]:
        more |= {"test_accuracy": test.accuracy, "test_macro_f1": test.macro_f1}
    facts = RunFacts(origin, model.count_params(), multiply_adds(model), more)
    write_predictions(out, dataset.labels, answers)
    write_results(out, model, found[0], describe_run(dataset, recipe, facts, found[0]))
    return found[0]


def _on_training_pictures(model: keras.Model, dataset: Dataset) -> dict[str, float]:
    """Accuracy and loss on the training pictures as they are, which the gap to validation is measured from."""
    rows = dataset.of(TRAIN_SPLIT)
    spec = InputSpec(*model.input_shape[1:3])
    logits = [
        predict(model, list(read_inputs(dataset, rows[first : first + _CHUNK], spec)))
        for first in range(0, len(rows), _CHUNK)
    ]
    scored = np.concatenate(logits)
    truth = np.array([dataset.labels.index(row.label) for row in rows])
    return {
        "train_accuracy": float((scored.argmax(axis=1) == truth).mean()),
        "train_loss": negative_log_likelihood(scored, truth),
    }
