"""`sorter run`: the bin at work."""

from __future__ import annotations

from pathlib import Path

import click

from edge.commands.options import (
    bundle_option,
    config_option,
    json_option,
    set_option,
    site_option,
    verbosity_options,
)
from edge.commands.show import Show


@click.command()
@config_option
@bundle_option
@site_option
@set_option
@click.option("--dry-run", is_flag=True, help="Move nothing, publish nothing, keep no journal.")
@json_option
@verbosity_options
def run(
    config_path: Path | None,
    bundle: Path | None,
    site: Path | None,
    overrides: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Watch the camera and sort, until stopped by SIGTERM or Ctrl-C.

    Without --config, /etc/sorter/sorter.toml is read when it exists; without a site file named there or
    by --site, what `sorter calibrate` wrote on this machine.
    """
    from edge.assembly.misfits import misfits
    from edge.clock import SystemClock
    from edge.config import find_config, load_config, with_site
    from edge.service import open_bin, open_rehearsal, serve

    choices = {"model.bundle": bundle, "site": site}
    chosen = [f"{key}={path}" for key, path in choices.items() if path is not None]
    settings = with_site(load_config(find_config(config_path), [*overrides, *chosen], checks=[misfits]))
    open_loop = open_rehearsal if dry_run else open_bin
    with open_loop(settings, SystemClock(), [Show(as_json=as_json).record]) as loop:
        serve(loop)
