"""The commands of training. Light to import: what is heavy is imported inside the commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from edge.commands.options import bundle_option, json_option, path_argument, set_option, verbosity, verbosity_options

if TYPE_CHECKING:
    from edge.data_folder import LeftOut
    from train.evaluate import Outcome
    from train.fit import Progress
    from train.metrics import ClassMetrics, Evaluation

T = TypeVar("T")

DEFAULT_RECIPE = "efficientnet-lite0"


@click.command()
@path_argument("data")
@click.option(
    "--recipe", "recipe_name", default=DEFAULT_RECIPE, show_default=True, help="A shipped recipe, or a .toml file."
)
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; by default runs/<data>-<recipe>-s<seed>.")
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--batch-size", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="What the network starts from; FILE is a legacy torch file (.pth).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Decides splits, augmentation and first weights.",
)
@set_option
@json_option
@verbosity_options
def train(
    *,
    data: Path,
    recipe_name: str,
    out: Path | None,
    epochs: int | None,
    batch_size: int | None,
    weights: str,
    seed: int,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Fine-tune a network on the pictures of DATA, one subfolder a class, and write a run directory.

    Splits follow DATA/groups.csv where it has them; else a stratified part is held out.
    """
    from edge.data_folder import scan
    from train.recipes import load_recipe

    numbers = {"epochs": epochs, "batch_size": batch_size}
    given = [f"fit.{key}={value}" for key, value in numbers.items() if value is not None]
    recipe = load_recipe(recipe_name, [*overrides, *given])
    scan(data)  # before TensorFlow, which takes seconds to load: a wrong folder is said at once
    name = Path(recipe_name).stem
    target = out or Path("runs") / f"{data.resolve().name}-{name}-s{seed}"
    _quiet_tensorflow()
    from train.fit import train as fit

    evaluation = fit(data, target, recipe, recipe_name=name, weights=weights, seed=seed, on_epoch=_show_epoch)
    if as_json:
        click.echo(json.dumps({**evaluation.to_json(), "run": str(target)}))
        return
    click.echo(_summary(evaluation))
    click.echo(f"run: {target}; next: sorter convert {target} --out BUNDLE")


def _quiet_tensorflow() -> None:
    """Keep TensorFlow's start-up chatter off stderr; it is read once, at the first import."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbosity() > 1 else "2")


def _show_epoch(progress: Progress) -> None:
    if verbosity() < 0:
        return
    click.echo(
        f"epoch {progress.epoch}/{progress.num_epochs}: loss {progress.loss:.3f},"
        f" accuracy {progress.accuracy:.1%}, val accuracy {progress.val_accuracy:.1%},"
        f" {progress.epoch_s:.0f} s, {progress.left_s / 60:.1f} min left",
        err=True,
    )


@click.command()
@path_argument("data")
@bundle_option
@click.option(
    "--split",
    type=click.Choice(["train", "val", "all"]),
    help="Which pictures; by default val where DATA/groups.csv has splits, else all.",
)
@json_option
@verbosity_options
def evaluate(*, data: Path, bundle: Path | None, split: str | None, as_json: bool) -> None:
    """Classify the pictures of DATA, one subfolder a class, and hold the answers against the folders' names."""
    from edge.bundle import DEFAULT_BUNDLE, load_bundle
    from edge.classifiers.litert import LiteRTClassifier
    from edge.data_folder import scan
    from train.evaluate import Part
    from train.evaluate import evaluate as measure

    loaded = load_bundle(bundle or DEFAULT_BUNDLE)
    part = Part(split) if split else None
    outcome = measure(scan(data), LiteRTClassifier(loaded), model=loaded.short_name, part=part, progress=_bar)
    _show_left_out(outcome.left_out)
    _say(f"{data}: {outcome.evaluation.num_images} pictures, {_describe_part(outcome)}")
    click.echo(json.dumps(outcome.evaluation.to_json()) if as_json else _summary(outcome.evaluation))


COMMANDS: list[click.Command] = [train, evaluate]


def _describe_part(outcome: Outcome) -> str:
    return "all of them" if outcome.part == "all" else f"the {outcome.part} split of groups.csv"


def _show_left_out(left_out: Sequence[LeftOut]) -> None:
    for picture in left_out:
        click.echo(f"left out: {picture.reason}", err=True)


def _say(text: str) -> None:
    if verbosity() >= 0:
        click.echo(text, err=True)


def _bar(things: Sequence[T]) -> Iterable[T]:
    """A progress bar on stderr, at a terminal only."""
    if not sys.stderr.isatty() or verbosity() < 0:
        return things
    return _with_bar(things)


def _with_bar(things: Sequence[T]) -> Iterator[T]:
    with click.progressbar(things, label="pictures", file=sys.stderr) as bar:
        yield from bar


def _summary(evaluation: Evaluation) -> str:
    low, high = evaluation.accuracy_ci95
    width = max(len(label) for label in evaluation.labels)
    surest = ", ".join(f"{float(part):.0%} {share:.2%}" for part, share in evaluation.selective.items())
    head = f"{evaluation.model}: accuracy {evaluation.accuracy:.2%} (95 % interval {low:.1%} to {high:.1%})"
    return "\n".join(
        [
            f"{head}, macro F1 {evaluation.macro_f1:.2%}, calibration error {evaluation.ece:.3f}",
            f"accuracy on the surest: {surest}",
            f"{'':{width}}  precision  recall      F1  pictures  answered as {' '.join(evaluation.labels)}",
            *(_class_line(evaluation, index, width) for index in range(len(evaluation.labels))),
        ]
    )


def _class_line(evaluation: Evaluation, index: int, width: int) -> str:
    label = evaluation.labels[index]
    one: ClassMetrics = evaluation.per_class[label]
    counts = zip(evaluation.labels, evaluation.confusion_matrix[index], strict=True)
    answers = " ".join(f"{count:{len(name)}d}" for name, count in counts)
    shares = f"{one.precision:9.1%} {one.recall:7.1%} {one.f1:7.1%}"
    return f"{label:{width}}  {shares} {one.support:9d}  {'':11} {answers}"
