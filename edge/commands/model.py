"""`sorter model`: install, check, sign and roll back models."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.model_show import show
from edge.commands.options import config_option, json_option, set_option, verbosity_options
from edge.errors import CheckFailedError, MissingInputError, SorterError
from edge.listing import counted, some_of

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.config import Config
    from edge.models.shadow import Disagreement
    from edge.models.verification import GoldenCheck


_NEXT = "Next: systemctl reload sorter, or start the bin again."
_SHADOW_HELP = (
    "Do not activate it yet: let it run beside the active one for N items, and promote it if it agrees on half of them."
)
# Of a shadow's disagreements.
_NUM_SHOWN = 10

trial_option = click.option(
    "--trial",
    "num_trial",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    metavar="N",
    help="Watch it for N items, and roll back when it is unsure far more often than the bin was; 0 trusts it at once.",
)


class Digest(click.ParamType):  # type: ignore[type-arg] # generic only since click 8.4
    """A SHA-256 in hexadecimal."""

    name = "digest"

    def convert(self, value: object, parameter: click.Parameter | None, context: click.Context | None) -> str:
        """In lower case."""
        if re.fullmatch(r"[0-9a-fA-F]{64}", str(value)) is None:
            self.fail(f"{value!r}: expected 64 hexadecimal digits", parameter, context)
        return str(value).lower()


DIGEST = Digest()


@click.group()
def model() -> None:
    """Install, check, sign and roll back models."""


model.add_command(show)


@model.command(short_help="Check a model on this machine's runtime.")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--public-key", help="Also check that the owner of this key signed it, as model.public_key would.")
@json_option
@verbosity_options
def verify(bundle: Path | None, *, public_key: str | None, as_json: bool) -> None:
    """Check every file of BUNDLE, then its golden pictures on this machine's runtime.

    Without BUNDLE the shipped model is checked. The exit code is 1 when the model answers differently here.
    """
    from edge.bundle import DEFAULT_BUNDLE
    from edge.classifiers.litert import LiteRTClassifier
    from edge.models.signatures import load_trusted_bundle
    from edge.models.verification import check_golden

    loaded = load_trusted_bundle(bundle or DEFAULT_BUNDLE, public_key)
    checks = check_golden(loaded, LiteRTClassifier(loaded))
    if public_key is not None and not as_json:
        click.echo(f"{loaded.short_name}: signed by the owner of {public_key}")
    click.echo(_checks_as_json(loaded, checks) if as_json else _checks_as_text(loaded, checks))
    if failed := [check.picture for check in checks if not check.is_passed]:
        raise CheckFailedError(
            f"{loaded.short_name} answers differently on this machine: {', '.join(failed)}; "
            "another version of the runtime (pip install -U ai-edge-litert) or another --precision may help"
        )


@model.command("list", short_help="List bundles.")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@json_option
@verbosity_options
def list_bundles(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """List the bundles in FOLDERS, or the shipped ones; a damaged bundle is reported and the others go on."""
    from edge.bundle import DEFAULT_BUNDLE, load_bundle

    failure: SorterError | None = None
    for path in _bundle_paths(folders or (DEFAULT_BUNDLE.parent,)):
        try:
            bundle = load_bundle(path)
        except SorterError as error:
            click.echo(f"error: {error}", err=True)
            failure = failure or error
            continue
        click.echo(_as_json(bundle) if as_json else _as_text(bundle))
    if failure is not None:
        raise click.exceptions.Exit(failure.exit_code)


@model.command(short_help="Make a key pair to sign models with.")
@click.argument("private_key", type=click.Path(path_type=Path))
@verbosity_options
def keygen(private_key: Path) -> None:
    """Make a key pair: the private half into the file PRIVATE_KEY, the public half on stdout.

    Keep the file away from devices; give them the line `public_key = …` below [model] in their configuration.
    """
    from edge.models.signatures import make_keys

    click.echo(make_keys(private_key))


@model.command(short_help="Sign a bundle for the devices that trust the key.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Private key, as keygen writes it.")
@verbosity_options
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE: a device that trusts the key's public half loads it, and nothing unsigned."""
    from edge.bundle import load_bundle
    from edge.models.signatures import sign_bundle

    loaded = load_bundle(bundle)
    click.echo(f"{loaded.short_name}: signed by {sign_bundle(loaded, key)}")


@model.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.zip")
@verbosity_options
def pack(bundle: Path, out: Path) -> None:
    """Pack BUNDLE into one file that `sorter model install` takes."""
    from edge.bundle import load_bundle
    from edge.models.fetch import digest
    from edge.models.fetch import pack as write

    loaded = load_bundle(bundle)
    write(loaded, out)
    click.echo(f"{out}: {loaded.short_name}; next: sorter model install {shlex.quote(str(out))}")
    click.echo(f"sha256: {digest(out)}")


@model.command(short_help="Check a model on this machine, keep and activate it.")
@click.argument("source")
@click.option("--sha256", type=DIGEST, help="Take the .zip only if this is its digest; `sorter model pack` says it.")
@click.option("--shadow", "num_shadow", type=click.IntRange(1, 100_000), metavar="N", help=_SHADOW_HELP)
@trial_option
@config_option
@set_option
@verbosity_options
def install(
    source: str,
    sha256: str | None,
    num_shadow: int | None,
    num_trial: int,
    config_path: Path | None,
    overrides: tuple[str, ...],
) -> None:
    """Check the model at SOURCE (a bundle's folder, a .zip, an http(s) address) on this machine, keep and activate it.

    The model before is kept: `sorter model rollback` goes back to it, and so does the bin by itself when the new
    one does not start, or is unsure far more often. A running bin does the same when it is asked over MQTT, on
    the topic cmd/install.
    """
    from edge.assembly.chosen import model_store
    from edge.config import find_config, load_config
    from edge.models.fetch import fetched
    from edge.models.shadow import begin_shadow

    settings = load_config(find_config(config_path), overrides)
    store = model_store(settings)
    with fetched(source, store.downloads, sha256) as folder:
        name = store.install(folder).short_name
    if num_shadow is not None:
        begin_shadow(store, name, num_shadow)
        click.echo(f"installed {name}; it runs beside the active model for {counted(num_shadow, 'item')}. {_NEXT}")
        return
    _activate(settings, name, num_trial)
    click.echo(f"installed and activated {name}. {_NEXT}")


@model.command(short_help="Let an installed model be the one that sorts.")
@click.argument("name")
@trial_option
@config_option
@set_option
@verbosity_options
def activate(name: str, num_trial: int, config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Let the installed model NAME be the one that sorts from the next start on."""
    from edge.config import find_config, load_config

    _activate(load_config(find_config(config_path), overrides), name, num_trial)
    click.echo(f"activated {name}. {_NEXT}")


@model.command(short_help="Go back to the model before.")
@config_option
@set_option
@verbosity_options
def rollback(config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Go back to the model before; a shadow run that is under way ends first, and only that."""
    from edge.assembly.chosen import model_store
    from edge.config import find_config, load_config
    from edge.models.shadow import read_shadow

    store = model_store(load_config(find_config(config_path), overrides))
    if (shadow := read_shadow(store)) is not None:
        store.shadow(None)
        click.echo(f"{shadow.model} runs in the shadow no more. {_NEXT}")
        return
    click.echo(f"rolled back to {store.roll_back()}. {_NEXT}")


@model.command(short_help="Say which model sorts, and how a trial goes.")
@config_option
@set_option
@json_option
@verbosity_options
def status(config_path: Path | None, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Say which models are installed, which one sorts, and how a trial or a shadow run goes."""
    from edge.assembly.chosen import model_store
    from edge.config import find_config, load_config
    from edge.models.shadow import read_disagreements, read_shadow
    from edge.models.store import Role
    from edge.models.trial import read_trial

    settings = load_config(find_config(config_path), overrides)
    store = model_store(settings)
    runs, complaint = _running(settings)
    roles = {role.value: path.name for role in Role if (path := store.path_of(role)) is not None}
    trial, shadow, disagreements = read_trial(store), read_shadow(store), read_disagreements(store)
    if as_json:
        described = {
            name: found.model_dump(by_alias=True) for name, found in (("trial", trial), ("shadow", shadow)) if found
        }
        told = {"schema": 1, "runs": str(runs), "complaint": complaint, "installed": store.names()}
        told |= {**roles, **described}
        click.echo(json.dumps({**told, "disagreements": [one.model_dump() for one in disagreements]}))
        return
    click.echo(f"runs: {runs}")
    if complaint is not None:
        click.echo(complaint)
    for name in store.names():
        click.echo(f"  {name}  {', '.join(role for role, of in roles.items() if of == name)}".rstrip())
    if trial is not None:
        click.echo(f"on trial: {trial.num_items} of {trial.num_wanted} items, {trial.num_unknown} unknown")
    if shadow is not None:
        click.echo(f"shadow: {shadow.num_items} of {shadow.num_wanted} items, {shadow.agreement:.0%} agreed")
    if disagreements:
        click.echo(_disagreements(disagreements, "the shadow" if shadow is not None else "the last one in the shadow"))


def _running(settings: Config) -> tuple[Path, str | None]:
    """Where the model lies that sorts, and what is wrong with it, or with the one that it stands in for."""
    from edge.assembly.chosen import bundle_path, load_chosen

    try:
        chosen = load_chosen(settings)
    except SorterError as error:
        return bundle_path(settings), str(error)
    return chosen.bundle.path, chosen.complaint


def _disagreements(disagreements: list[Disagreement], who: str) -> str:
    """The last few of them."""
    of = counted(len(disagreements), "item")
    lines = [f"{who} said otherwise of {of} (`sorter explain NUMBER`; --json has all of them):"]
    lines += [f"  {one.seq}: sorted as {one.active}, it says {one.shadow}" for one in disagreements[-_NUM_SHOWN:]]
    return "\n".join(lines)


def _activate(settings: Config, name: str, num_trial: int) -> None:
    """With what the journal says of the bin so far, where there is one."""
    from edge.assembly.chosen import model_store
    from edge.assembly.models import before_now
    from edge.assembly.places import journal_path
    from edge.journal import JournalReader
    from edge.models.trial import begin_trial

    path = journal_path(settings)
    before = []
    if path.is_file():
        with closing(JournalReader(path)) as journal:
            before = before_now(journal)
    begin_trial(model_store(settings), name, num_trial, before)


def _bundle_paths(folders: tuple[Path, ...]) -> list[Path]:
    """Bundles among the folders and directly inside them."""
    from edge.bundle import MANIFEST

    for folder in folders:
        if not folder.is_dir():
            raise MissingInputError(f"no folder at {folder}: expected a bundle, or a folder of bundles")
    candidates = [path for folder in folders for path in (folder, *sorted(folder.iterdir()))]
    return [path for path in candidates if (path / MANIFEST).is_file()]


def _as_text(bundle: Bundle) -> str:
    manifest = bundle.manifest
    size = f"{manifest.input.width_px}x{manifest.input.height_px}"
    accuracy = f", accuracy {manifest.metrics['accuracy']:.1%}" if "accuracy" in manifest.metrics else ""
    return (
        f"{bundle.short_name}: {manifest.precision}, {size}, {len(manifest.labels)} classes "
        f"({some_of(manifest.labels)}){accuracy}; {bundle.path}"
    )


def _as_json(bundle: Bundle) -> str:
    described = bundle.manifest.model_dump(
        mode="json", by_alias=True, include={"name", "labels", "precision", "metrics"}
    )
    return json.dumps({"schema": 1, "id": bundle.bundle_id, "path": str(bundle.path), **described})


def _checks_as_text(bundle: Bundle, checks: tuple[GoldenCheck, ...]) -> str:
    lines = [f"{bundle.short_name}: {len(bundle.manifest.files)} files unchanged"]
    for check in checks:
        verdict = "exact" if check.is_exact else f"scores differ by {check.score_difference:.4f}"
        lines.append(f"  {check.picture}: {'pass' if check.is_passed else 'FAIL'}, {verdict}")
    return "\n".join(lines)


def _checks_as_json(bundle: Bundle, checks: tuple[GoldenCheck, ...]) -> str:
    pictures = [
        {"picture": check.picture, "score_difference": check.score_difference, "passed": check.is_passed}
        for check in checks
    ]
    is_passed = all(check.is_passed for check in checks)
    return json.dumps({"schema": 1, "id": bundle.bundle_id, "passed": is_passed, "golden": pictures})
