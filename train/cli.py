"""The commands of training. Light to import: what is heavy is imported inside the commands."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, json_option, path_argument, set_option, verbosity, verbosity_options
from edge.host.native import native_stderr_logged, quiet_tensorflow
from edge.listing import counted
from train.terminal import ProgressLine, bar, columns, summary

if TYPE_CHECKING:
    from train.measuring.evaluate import Outcome
    from train.recipes import Recipe

DEFAULT_RECIPE = "efficientnet-lite0"


@click.command(short_help="Train a network on a folder of pictures.")
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "--recipe",
    "recipe_name",
    default=DEFAULT_RECIPE,
    show_default=True,
    help="A shipped recipe, a .toml file, or a finished run whose recipe to use again.",
)
@click.option("--list", "is_list", is_flag=True, help="List the shipped recipes and stop.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory; by default runs/<data>-<recipe>-s<seed>.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped, from its last epoch.")
@click.option("--folds", type=click.IntRange(2, 20), help="Cross-validate: one run a fold, in OUT/fold1 and so on.")
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's, in every phase.")
@click.option("--batch-size", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    metavar="imagenet|none|FILE",
    help="What the network starts from; FILE is one of ImageNet weights (.pth, .h5) or a run's model.keras.",
)
@click.option(
    "--teacher",
    "teachers",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="RUN",
    help="A finished run whose answers are learned beside the labels; of several their mean.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Decides splits, augmentation and first weights.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of the CPU that compute: by default one a core, or as many as the run began with.",
)
@click.option("--tensorboard", is_flag=True, help="Also write the curves for TensorBoard, in OUT/tensorboard.")
@click.option("--report/--no-report", "has_report", default=True, help="Write OUT/report.html; it takes some minutes.")
@set_option
@json_option
@verbosity_options
def train(
    *,
    data: Path | None,
    recipe_name: str,
    is_list: bool,
    out: Path | None,
    resume: bool,
    folds: int | None,
    epochs: int | None,
    batch_size: int | None,
    weights: str,
    teachers: tuple[Path, ...],
    seed: int,
    threads: int | None,
    tensorboard: bool,
    has_report: bool,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train a network on the pictures of DATA, one subfolder a class, and write a run directory.

    Splits follow DATA/groups.csv where it has them; else a stratified part of the objects is held out.
    The same command gives the same weights, on a processor of the same kind and as many --threads of it.
    """
    if is_list:
        _list_recipes()
        return
    if data is None:
        raise click.UsageError("missing DATA: expected a folder with one subfolder of pictures a class, or --list")
    from edge.data_folder import scan

    if folds and teachers:
        raise click.UsageError("--teacher beside --folds: a teacher has seen pictures that some fold holds out")
    recipe = _recipe(recipe_name, overrides, epochs, batch_size)
    scan(data)  # before TensorFlow, which takes seconds to load: a wrong folder is said at once
    name = Path(recipe_name).resolve().stem
    target = out or Path("runs") / f"{data.resolve().name}-{name}-s{seed}"
    _prepare_tensorflow(threads, target if resume else None)
    with native_stderr_logged():
        from train.session import Session

    session = Session(
        data=data,
        out=target,
        recipe=recipe,
        recipe_name=name,
        weights=weights,
        teachers=teachers,
        seed=seed,
        is_resumed=resume,
        has_tensorboard=tensorboard,
        has_report=has_report,
        line=ProgressLine(),
    )
    evaluation = session.cross_validate(folds) if folds else session.run()
    if as_json:
        click.echo(json.dumps({**evaluation.to_json(), "run": str(target)}))
        return
    click.echo(summary(evaluation))
    click.echo(f"run: {target}" if folds else _what_next(target))


def _prepare_tensorflow(threads: int | None, resumed: Path | None) -> None:
    """Have it load quietly, and compute on the threads asked for, or those of the `resumed` run."""
    from train.fitting.threads import compute_on, cpu_threads, threads_of

    recorded = threads_of(resumed) if resumed is not None else None
    compute_on(threads or recorded or cpu_threads())
    quiet_tensorflow()


def _recipe(name: str, overrides: tuple[str, ...], epochs: int | None, batch_size: int | None) -> Recipe:
    """The recipe as the command line changes it; its own options win over --set."""
    from train.recipes import load_recipe

    given = [f"phases.*.epochs={epochs}"] if epochs else []
    given += [f"fit.batch_size={batch_size}"] if batch_size else []
    return load_recipe(name, [*overrides, *given])


def _what_next(run: Path) -> str:
    return f"run: {run}; next: sorter convert {shlex.quote(str(run))} --out BUNDLE"


def _list_recipes() -> None:
    from train.recipes import recipe_names, recipe_summary

    width = max(len(name) for name in recipe_names())
    for name in recipe_names():
        click.echo(f"{name:{width}}  {recipe_summary(name)}")


@click.command(short_help="Hold a model's answers against labelled pictures.")
@path_argument("data")
@bundle_option
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    help="With what this bin was taught; pictures of its scene are cropped to the item.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test", "all"]),
    help="Which pictures; by default val where there are splits, else all.",
)
@click.option(
    "--run", type=click.Path(path_type=Path), help="Take the splits of this run, not those of DATA/groups.csv."
)
@click.option("--robustness", "has_rows", is_flag=True, help="Also under other lamps, distances and grounds.")
@json_option
@verbosity_options
def evaluate(
    *,
    data: Path,
    bundle: Path | None,
    site: Path | None,
    split: str | None,
    run: Path | None,
    has_rows: bool,
    as_json: bool,
) -> None:
    """Classify the pictures of DATA, one subfolder a class, and hold the answers against the folders' names."""
    from edge.assembly.parts import load_parts
    from edge.config import Config, with_choices
    from edge.data_folder import in_words, scan
    from train.measuring.evaluate import Part, evaluate_conditions, whole, with_splits_of
    from train.measuring.evaluate import evaluate as measure

    parts = load_parts(with_choices(Config(), bundle, site))
    classifier, dataset, finder = parts.classifier, scan(data), parts.finder()
    find = finder.box_in if finder else whole
    dataset = with_splits_of(dataset, run) if run else dataset
    outcome = measure(
        dataset,
        classifier,
        model=parts.bundle.short_name,
        part=Part(split) if split else None,
        progress=bar,
        find=find,
    )
    for line in in_words(outcome.left_out):
        click.echo(f"left out: {line}", err=True)
    _say(f"{data}: {counted(outcome.evaluation.num_images, 'picture')}, {_describe_part(outcome)}")
    rows = evaluate_conditions(dataset, classifier, outcome, progress=bar, find=find) if has_rows else []
    if as_json:
        conditions = {"robustness": {row.condition: row.accuracy for row in rows}} if rows else {}
        click.echo(json.dumps({**outcome.evaluation.to_json(), **conditions}))
        return
    click.echo(summary(outcome.evaluation))
    for row in rows:
        click.echo(f"{row.condition:28} {row.accuracy:6.1%}  ({row.ci95[0]:.1%} to {row.ci95[1]:.1%})")


@click.command(short_help="Write a run's report again.")
@path_argument("run")
@click.option("--data", "data_root", type=click.Path(path_type=Path), help="Where the run's pictures lie now.")
@verbosity_options
def report(*, run: Path, data_root: Path | None) -> None:
    """Write RUN/report.html again: one file that opens anywhere."""
    quiet_tensorflow()
    with native_stderr_logged():
        from train.report.run_report import write_report

    click.echo(f"report: {write_report(run, bar, data_root)}")


@click.command(short_help="Put training runs side by side.")
@path_argument("runs", many=True)
@click.option(
    "--bundle",
    "bundles",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A run's bundle; one for each, in order.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write the comparison as one page.")
@json_option
@verbosity_options
def compare(*, runs: tuple[Path, ...], bundles: tuple[Path, ...], html: Path | None, as_json: bool) -> None:
    """Put run directories side by side: what they get right, class by class, and what they cost."""
    from train.measuring.compare import class_rows, load_contenders, rows, to_json, warnings

    contenders = load_contenders(runs, bundles)
    for warning in warnings(contenders):
        _say(f"mind: {warning}")
    if html is not None:
        from edge.reports.page import write_page
        from train.report.compare_report import compare_page

        write_page(html, compare_page(contenders))
    if as_json:
        click.echo(json.dumps(to_json(contenders)))
        return
    names = [one.name for one in contenders]
    click.echo(columns("", names, rows(contenders)))
    click.echo()
    click.echo(columns("precision, recall, F1", names, class_rows(contenders)))


@click.command(short_help="Average the weights of several runs.")
@path_argument("runs", many=True)
@click.option(
    "--share", "shares", type=float, multiple=True, help="A run's weight in the mean; one for each, in order."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory of the average.")
@json_option
@verbosity_options
def average(*, runs: tuple[Path, ...], shares: tuple[float, ...], out: Path, as_json: bool) -> None:
    """Average the weights of runs that started from the same ones (a model soup), and judge the mean.

    Pictures, splits and recipe are those of the first run.
    """
    quiet_tensorflow()
    with native_stderr_logged():
        from train.fitting.soup import average_runs

    evaluation = average_runs(runs, shares or None, out)
    if as_json:
        click.echo(json.dumps({**evaluation.to_json(), "run": str(out)}))
        return
    click.echo(summary(evaluation))
    click.echo(_what_next(out))


@click.group()
def data() -> None:
    """Look at folders of pictures."""


@data.command(short_help="Look for damaged files, twins and doubtful labels.")
@path_argument("folder")
@click.option("--report", "html", type=click.Path(path_type=Path), help="Also write what was found, with pictures.")
@click.option("--groups", type=click.Path(path_type=Path), help="Write the found groups as a groups.csv.")
@json_option
@verbosity_options
def audit(*, folder: Path, html: Path | None, groups: Path | None, as_json: bool) -> None:
    """Look for what is wrong with the pictures of FOLDER: damaged files, twins, doubtful labels, backgrounds."""
    from edge.data_folder import scan
    from train.audit.findings import find, write_groups
    from train.audit.look import look
    from train.audit.words import describe

    dataset = scan(folder)
    found = find(look(dataset, progress=bar), dataset.labels)
    click.echo(json.dumps(found.to_json()) if as_json else describe(found))  # before a place that cannot be written
    if groups is not None:
        write_groups(found, groups)
    if html is not None:
        from edge.reports.page import write_page
        from train.report.audit_report import audit_page

        write_page(html, audit_page(found, dataset))


COMMANDS: list[click.Command] = [train, average, evaluate, report, compare, data]


def _describe_part(outcome: Outcome) -> str:
    return "all of them" if outcome.part == "all" else f"the {outcome.part} split"


def _say(text: str) -> None:
    if verbosity() >= 0:
        click.echo(text, err=True)
