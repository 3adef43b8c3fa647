"""The commands of conversion. Light to import: what is heavy is imported inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import click
from click.core import ParameterSource

from edge.commands.options import FiniteRange, json_option, verbosity_options
from edge.errors import CheckFailedError, UsageError
from edge.files.whole_file import whole_file
from edge.host.native import native_stderr_logged, quiet_tensorflow

if TYPE_CHECKING:
    from convert.bundle.draft import Draft
    from convert.proof.parity import Limits
    from convert.quantizing.mixed import Wide
    from edge.bundle import Precision
    from edge.preprocess import InputSpec

T = TypeVar("T")


class _How(TypedDict):
    """Options that say how to convert, and not what or whereto."""

    precision: Precision
    name: str | None
    size_px: int | None
    data_root: Path | None
    num_representative: int
    seed: int
    should_rescue: bool
    wide: Wide
    labels: Path | None
    mean: float | None
    std: float | None
    pictures: Path | None


def _checked_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """The name, before the minutes that conversion takes.

    Raises:
        UsageError: no bundle can be called so.
    """
    from edge.bundle import bundle_name

    if name is not None and name != bundle_name(name):
        raise UsageError(
            f"--name {name!r}: expected at most 64 small letters without accents, digits and . _ -,"
            f" such as {bundle_name(name)}"
        )
    return name


@click.command(short_help="Turn a training run into a model for the device.")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory of the new bundle.")
@click.option(
    "--precision",
    type=click.Choice(["int8", "float16", "float32", "dynamic"]),
    default="int8",
    show_default=True,
    help="What the network computes in; a Coral takes int8 only.",
)
@click.option(
    "--name",
    callback=_checked_name,
    help="Name of the bundle; by default the data folder and the backbone.",
)
@click.option(
    "--size", "size_px", type=click.IntRange(32, 1024), help="Side of the input in pixels; by default the run's."
)
@click.option("--data", "data_root", type=click.Path(path_type=Path), help="Where the run's pictures lie now.")
@click.option(
    "--representative",
    "num_representative",
    type=click.IntRange(1, 10_000),
    default=240,
    show_default=True,
    help="Training pictures that set the ranges of int8.",
)
@click.option(
    "--max-accuracy-loss",
    type=FiniteRange(0, 100),
    default=0.5,
    show_default=True,
    help="Points of accuracy that it may cost.",
)
@click.option(
    "--min-agreement",
    type=FiniteRange(0, 100),
    default=98.5,
    show_default=True,
    help="Percent of held-out pictures that must get the same answer.",
)
@click.option(
    "--rescue",
    "should_rescue",
    is_flag=True,
    help="Beyond these limits, keep the costliest layers out of int8 and try again.",
)
@click.option(
    "--rescue-in",
    "wide",
    type=click.Choice(["float", "int16"]),
    default="float",
    show_default=True,
    help="What they become; int16 is for chips that do without floats.",
)
@click.option("--accept-loss", is_flag=True, help="Write the bundle beyond these limits, and the loss into its card.")
@click.option(
    "--single-output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a .tflite with scores as its only output, for other tools.",
)
@click.option(
    "--from",
    "foreign",
    type=click.Path(path_type=Path),
    help="A model from elsewhere: .tflite, .keras, SavedModel; or a bundle, for --edgetpu.",
)
@click.option("--labels", type=click.Path(path_type=Path), help="Its label file; by default inside the .tflite.")
@click.option("--mean", type=float, help="With --std: it expects (byte - mean) / std.")
@click.option("--std", type=FiniteRange(min=0, min_open=True), help="With --mean.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder that sets the ranges of a foreign int8.")
@click.option("--edgetpu", is_flag=True, help="Also compile for the EdgeTPU, where its compiler is found.")
@click.option("--compiler", type=click.Path(path_type=Path), help="Path of edgetpu_compiler; by default on the PATH.")
@click.option("--allow-partial", is_flag=True, help="Also when part of it would run on the CPU.")
@click.option("--force", is_flag=True, help="Replace a bundle that is already there.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the representative pictures.")
@json_option
@verbosity_options
def convert(
    *,
    run: Path | None,
    out: Path,
    max_accuracy_loss: float,
    min_agreement: float,
    single_output: Path | None,
    accept_loss: bool,
    foreign: Path | None,
    edgetpu: bool,
    compiler: Path | None,
    allow_partial: bool,
    force: bool,
    as_json: bool,
    **how: Unpack[_How],
) -> None:
    """Turn a training RUN into a bundle for the device, and show that it changed nothing that matters.

    The model is held against the network as trained on the run's held-out pictures, through the device's
    own preprocessing and runtime; beyond the limits nothing is written and the exit code is 1. With --from,
    a classifier trained elsewhere is wrapped instead, or a bundle compiled for the EdgeTPU.
    """
    quiet_tensorflow()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # conversion is CPU work; another process may own the GPU
    from convert.bundle.writer import check_place, check_target, write_bundle
    from convert.proof.parity import Limits
    from convert.words import as_line, describe, refusal

    check_target(out, should_replace=force)
    if single_output is not None:
        check_place(single_output)
    _refuse_strays(run, foreign, is_for_edgetpu=edgetpu)
    found_compiler = _edgetpu_compiler(compiler, how["precision"]) if edgetpu else None
    match run, foreign:
        case Path(), None:
            limits = Limits(max_accuracy_loss / 100, min_agreement / 100)
            draft = _draft_of_run(
                run, limits, how, accepts_loss=accept_loss, has_plain_classifier=single_output is not None
            )
        case None, Path() if _is_bundle(foreign):
            draft = _draft_of_bundle(foreign, is_for_edgetpu=edgetpu)
        case None, Path():
            draft = _draft_of_foreign(foreign, how)
        case _:
            raise UsageError("expected either a RUN, as `sorter train` writes it, or --from a model from elsewhere")
    is_refused = bool(draft.losses) and not accept_loss
    if edgetpu and not is_refused:
        draft = _with_edgetpu(draft, found_compiler, allow_partial=allow_partial)
    bundle = None if is_refused else write_bundle(out, draft.manifest, draft.files, should_replace=force)
    if single_output is not None and draft.plain_classifier is not None and not is_refused:
        with whole_file(single_output) as unfinished:
            unfinished.write_bytes(draft.plain_classifier)
    click.echo(as_line(draft, bundle) if as_json else describe(draft, bundle))
    if is_refused:
        raise CheckFailedError(refusal(draft, may_rescue=not how["should_rescue"] and not edgetpu))


# What would be ignored without a word: options by what they go with.
_OF_A_RUN = frozenset(
    {"data_root", "should_rescue", "wide", "accept_loss", "max_accuracy_loss", "min_agreement", "single_output"}
)
_OF_A_FOREIGN_MODEL = frozenset({"labels", "mean", "std", "pictures"})
_OF_A_CONVERSION = frozenset({"precision", "size_px", "pictures", "num_representative", "seed"})
_OF_THE_EDGETPU = frozenset({"compiler", "allow_partial"})


def _refuse_strays(run: Path | None, foreign: Path | None, *, is_for_edgetpu: bool) -> None:
    """Refuse options that have no meaning beside the others.

    Raises:
        UsageError: there is one.
    """
    if foreign is not None:
        _refuse_given(
            _OF_A_RUN, "a model from elsewhere comes without held-out pictures, and is one plain classifier already"
        )
        if foreign.suffix.lower() == ".tflite" or _is_bundle(foreign):
            _refuse_given(_OF_A_CONVERSION, f"{foreign.name} goes into the bundle as it is, byte for byte")
        if _is_bundle(foreign):
            _refuse_given({"name", *_OF_A_FOREIGN_MODEL}, f"{foreign.name} is a bundle, whose manifest says so")
    if run is not None:
        _refuse_given(_OF_A_FOREIGN_MODEL, "they describe a model from elsewhere, --from, and a run knows its own")
    if not is_for_edgetpu:
        _refuse_given(_OF_THE_EDGETPU, "they matter with --edgetpu only")


def _refuse_given(names: Collection[str], why: str) -> None:
    context = click.get_current_context()
    strays = [
        option.opts[0]
        for option in context.command.params
        if option.name in names and context.get_parameter_source(option.name) is not ParameterSource.DEFAULT
    ]
    if strays:
        raise UsageError(f"leave out {', '.join(strays)}: {why}")


def _edgetpu_compiler(named: Path | None, precision: Precision) -> Path | None:
    """The compiler, looked for before the work begins."""
    from convert.edgetpu import find_compiler

    if precision != "int8":
        raise UsageError(f"--edgetpu with --precision {precision}: only int8 runs there")
    return find_compiler(named)


def _draft_of_run(run: Path, limits: Limits, how: _How, *, accepts_loss: bool, has_plain_classifier: bool) -> Draft:
    with native_stderr_logged():
        from convert.export import draft_bundle
        from convert.source import ConvertSettings

    settings = ConvertSettings(
        precision=how["precision"],
        name=how["name"],
        spec=_spec(how["size_px"]),
        data_root=how["data_root"],
        num_representative=how["num_representative"],
        seed=how["seed"],
        rescue=how["wide"] if how["should_rescue"] else None,
        accepts_loss=accepts_loss,
        has_plain_classifier=has_plain_classifier,
        limits=limits,
    )
    return draft_bundle(run, settings, _bar)


def _draft_of_foreign(path: Path, how: _How) -> Draft:
    with native_stderr_logged():
        from convert.foreign.export import ForeignSettings, draft_foreign
        from convert.tflite.rescaling import Normalization

    mean, std = how["mean"], how["std"]
    if (mean is None) != (std is None):
        raise UsageError("--mean and --std go together: the model expects (byte - mean) / std")
    settings = ForeignSettings(
        labels=how["labels"],
        name=how["name"],
        normalization=None if mean is None or std is None else Normalization(mean, std),
        precision=how["precision"],
        spec=_spec(how["size_px"]),
        pictures=how["pictures"],
        num_representative=how["num_representative"],
        seed=how["seed"],
    )
    return draft_foreign(path, settings)


def _is_bundle(path: Path) -> bool:
    from edge.bundle import MANIFEST

    return (path / MANIFEST).is_file()


def _draft_of_bundle(path: Path, *, is_for_edgetpu: bool) -> Draft:
    from convert.bundle.draft import draft_of_bundle

    if not is_for_edgetpu:
        raise UsageError(f"{path} is a bundle already: expected --edgetpu, to add a model that is compiled for it")
    return draft_of_bundle(path)


def _with_edgetpu(draft: Draft, found: Path | None, *, allow_partial: bool) -> Draft:
    from convert.bundle.draft import with_file
    from convert.edgetpu import HOW_TO_GET, check_for_edgetpu, compile_for_edgetpu, memory_sentence
    from convert.tflite.anatomy import read_anatomy
    from edge.bundle import EDGETPU_MODEL, MODEL

    model = draft.files[MODEL]
    anatomy = read_anatomy(model, Path(MODEL))
    check_for_edgetpu(anatomy, allow_partial=allow_partial)
    click.echo(memory_sentence(anatomy), err=True)
    if found is None:
        click.echo(HOW_TO_GET, err=True)
        return draft
    compiled = compile_for_edgetpu(model, found, allow_partial=allow_partial)
    for placement in compiled.placements:
        click.echo(f"{placement.count:4} x {placement.operator:<24} {placement.status}", err=True)
    for line in compiled.memory:
        click.echo(line, err=True)
    return with_file(draft, EDGETPU_MODEL, compiled.model)


def _spec(size_px: int | None) -> InputSpec | None:
    from edge.preprocess import InputSpec

    return None if size_px is None else InputSpec(size_px, size_px)


COMMANDS: list[click.Command] = [convert]


def _bar(things: Sequence[T], title: str, /) -> Iterable[T]:
    """A progress bar on stderr, at a terminal only."""
    if not sys.stderr.isatty():
        yield from things
        return
    with click.progressbar(things, label=title, file=sys.stderr) as bar:
        yield from bar
