"""`sorter model`: look at bundles, and check them on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import json_option, verbosity_options
from edge.errors import CheckFailedError, MissingInputError, SorterError

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.verification import GoldenCheck


@click.group()
def model() -> None:
    """Look at bundles, and check them on this machine."""


@model.command()
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
    from edge.signatures import load_trusted_bundle
    from edge.verification import check_golden

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


@model.command("list")
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


@model.command()
@click.argument("private_key", type=click.Path(path_type=Path))
@verbosity_options
def keygen(private_key: Path) -> None:
    """Make a key pair: the private half into the file PRIVATE_KEY, the public half on stdout.

    Keep the file away from devices; give them the line `public_key = …` below [model] in their configuration.
    """
    from edge.signatures import make_keys

    click.echo(make_keys(private_key))


@model.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Private key, as keygen writes it.")
@verbosity_options
def sign(bundle: Path, key: Path) -> None:
    """Sign BUNDLE: a device that trusts the key's public half loads it, and nothing unsigned."""
    from edge.bundle import load_bundle
    from edge.signatures import sign_bundle

    loaded = load_bundle(bundle)
    click.echo(f"{loaded.short_name}: signed by {sign_bundle(loaded, key)}")


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
        f"({', '.join(manifest.labels)}){accuracy}; {bundle.path}"
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
