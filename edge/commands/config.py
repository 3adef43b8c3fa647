"""`sorter config`: check, show and describe the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge.commands.options import config_option, set_option, verbosity_options


@click.group()
def config() -> None:
    """Check, show or describe the configuration."""


@config.command()
@config_option
@set_option
@verbosity_options
def validate(config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Check every setting, the bundle, the site file and that each label has a bin."""
    from edge.config import find_config, load_config
    from edge.service import check_config

    found = find_config(config_path)
    check_config(load_config(found, overrides))
    click.echo(f"ok: {found or 'the defaults'}")


@config.command()
@config_option
@set_option
@verbosity_options
def show(config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Print the settings that hold, defaults included, as JSON."""
    from edge.config import find_config, load_config

    settings = load_config(find_config(config_path), overrides)
    click.echo(settings.model_dump_json(indent=2, by_alias=True, exclude={"mqtt": {"password"}}))


@config.command()
@verbosity_options
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from edge.config import Config

    click.echo(json.dumps(Config.model_json_schema(), indent=2))
