"""Average the weights of runs: one network as costly as each, steadier than any (Wortsman et al. 2022, "Model soups").

It works where the runs started from the same weights and differ in seed, augmentation or schedule, so that all of
them lie in one valley. An average is a run like any other: the same directory, measured on the same held-out pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from edge.data_folder import Dataset, scan
from edge.errors import DatasetError, InvalidDataError, UsageError
from edge.listing import counted, some_of
from edge.run import (
    MODEL_FILE,
    RUN_FILE,
    TEST_SPLIT,
    VAL_SPLIT,
    AveragedRun,
    Run,
    RunInput,
    SplitRow,
    load_run,
    load_splits,
    model_digest,
    whole_network,
)
from train.fitting.finish import finish
from train.fitting.run_directory import Origin, write_splits
from train.measuring.metrics import Evaluation
from train.pictures.material import load_held_out
from train.recipes import Recipe
from train.splits import check_unseen


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A finished run, the pictures that it used, and its share of the average."""

    folder: Path
    run: Run
    rows: tuple[SplitRow, ...]
    share: float


def average_runs(folders: Sequence[Path], shares: Sequence[float] | None, out: Path) -> Evaluation:
    """Write the run directory `out` of the runs' mean; pictures, splits and recipe are those of the first run.

    `shares` are scaled to a sum of 1; None gives every run the same.

    Raises:
        UsageError: fewer than two runs, not one positive share for each, or `out` holds a run already.
        MissingInputError, InvalidDataError: a folder is no run, or the runs' networks differ.
        DatasetError: pictures held out by the first run were trained on by another, or are gone.
    """
    ingredients = _ingredients(folders, shares)
    if (out / RUN_FILE).exists():
        raise UsageError(f"{out} already holds a run: choose another --out, or remove it")
    _check_networks(ingredients)
    for other in ingredients[1:]:
        check_unseen(ingredients[0].rows, other.folder, other.rows)
    first = ingredients[0]
    recipe = Recipe.model_validate(first.run.settings)
    dataset = _dataset(first)
    model = _mean(ingredients)
    out.mkdir(parents=True, exist_ok=True)
    write_splits(out, dataset)
    held_out = [
        load_held_out(dataset, split, recipe.network.input_px, out)
        for split in (VAL_SPLIT, TEST_SPLIT)
        if dataset.of(split)
    ]
    origin = Origin(
        recipe_name=first.run.recipe,
        weights=" + ".join(f"{one.share:.3g} x {one.folder.name}" for one in ingredients),
        seed=first.run.seed,
        teachers=tuple(dict.fromkeys(teacher for one in ingredients for teacher in one.run.teachers)),
        averaged=tuple(
            AveragedRun(path=str(one.folder.resolve()), sha256=model_digest(one.folder), share=one.share)
            for one in ingredients
        ),
        training_s=sum(one.run.cost.training_s for one in ingredients if one.run.cost),
    )
    return finish(out, model, dataset, held_out, recipe, origin)


def _ingredients(folders: Sequence[Path], shares: Sequence[float] | None) -> list[Ingredient]:
    given = list(shares or [1.0] * len(folders))
    if len(folders) < 2:
        raise UsageError(f"expected two runs or more to average, found {len(folders)}")
    if len(given) != len(folders) or not all(share > 0 and np.isfinite(share) for share in given):
        found = ", ".join(f"{share:g}" for share in given)
        raise UsageError(f"expected a share above 0 for each of {len(folders)} runs, found {found}")
    return [
        Ingredient(folder, load_run(folder), load_splits(folder), share / sum(given))
        for folder, share in zip(folders, given, strict=True)
    ]


def _check_networks(ingredients: Sequence[Ingredient]) -> None:
    first = ingredients[0]
    for other in ingredients[1:]:
        for what in ("backbone", "labels", "input"):
            expected, found = getattr(first.run, what), getattr(other.run, what)
            if expected != found:
                raise InvalidDataError(
                    f"{other.folder} does not fit {first.folder}: expected {what} {_told(expected)},"
                    f" found {_told(found)}"
                )


def _told(value: str | tuple[str, ...] | RunInput) -> str:
    if isinstance(value, RunInput):
        return f"{value.width_px} x {value.height_px} pixels"
    return value if isinstance(value, str) else some_of(value)


def _dataset(first: Ingredient) -> Dataset:
    root = Path(first.run.data.root)
    there = {row.path for row in scan(root).rows} if root.is_dir() else set()
    gone = sorted({row.path for row in first.rows} - there)
    if gone:
        raise DatasetError(
            f"{root} has lost {counted(len(gone), 'picture')} of {first.folder} ({gone[0]}, ...):"
            " put back what is gone, or a link to it"
        )
    return Dataset(root, first.run.labels, first.rows)


def _mean(ingredients: Sequence[Ingredient]) -> keras.Model:
    """The first run's network with the mean of all weights, batch norm's statistics included."""
    model = keras.models.load_model(whole_network(ingredients[0].folder / MODEL_FILE), compile=False)
    total = [ingredients[0].share * weight for weight in model.get_weights()]
    for other in ingredients[1:]:
        weights = keras.models.load_model(whole_network(other.folder / MODEL_FILE), compile=False).get_weights()
        if [weight.shape for weight in weights] != [weight.shape for weight in total]:
            raise InvalidDataError(f"{other.folder} does not fit {ingredients[0].folder}: its layers have other shapes")
        total = [mean + other.share * weight for mean, weight in zip(total, weights, strict=True)]
    model.set_weights(total)
    return model
