"""`sorter config`: check, show and describe the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge.commands.options import config_option, json_option, set_option, verbosity_options


@click.group()
def config() -> None:
    """Check, show or describe the configuration."""


@config.command(short_help="Name every mistake of the configuration.")
@config_option
@set_option
@verbosity_options
def validate(config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Check every setting, the bundle, the site file and that each label has a bin."""
    from edge.assembly.misfits import misfits
    from edge.config import find_config, load_config

    found = find_config(config_path)
    load_config(found, overrides, checks=[misfits])
    click.echo(f"ok: {found or 'the defaults'}")


@config.command(short_help="Print the settings that hold, secrets hidden.")
@config_option
@set_option
@json_option
@verbosity_options
def show(config_path: Path | None, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Print the settings that hold, defaults and places included, secrets hidden."""
    from edge.assembly.places import settled
    from edge.config import find_config, load_config
    from edge.files.toml_text import to_toml

    settings = settled(load_config(find_config(config_path), overrides))
    if as_json:
        click.echo(settings.model_dump_json(indent=2, by_alias=True))
    else:
        click.echo(to_toml(settings.model_dump(mode="json", by_alias=True)), nl=False)


@config.command()
@verbosity_options
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from edge.config import Config

    click.echo(json.dumps(Config.model_json_schema(), indent=2))
