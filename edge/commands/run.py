"""`sorter run`: the bin at work."""

from __future__ import annotations

import gc
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import (
    bundle_option,
    config_option,
    json_option,
    set_option,
    site_option,
    verbosity_options,
)
from edge.commands.show import Show, tell_page
from edge.errors import SorterError

if TYPE_CHECKING:
    from edge.config import Config

log = logging.getLogger(__name__)


@click.command(short_help="Watch the camera and sort, until Ctrl-C.")
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
    """Watch the camera and sort, until stopped by SIGTERM or Ctrl-C; SIGHUP reads the configuration again.

    Without --config, /etc/sorter/sorter.toml is read when it exists; without a site file named there or
    by --site, what `sorter calibrate` wrote on this machine.
    """
    from edge.host.allocator import share_one_arena
    from edge.host.native import native_stderr_told_once

    share_one_arena()
    from edge.clock import SystemClock
    from edge.config import find_config
    from edge.running.bin import RunningBin
    from edge.service import Ending, Requests, open_bin, open_rehearsal, serve

    read = partial(_read, config_path, overrides, bundle, site)
    settings = read()
    if settings.camera.backend == "simulated" and not overrides and find_config(config_path) is None:
        log.warning("no configuration: rendered items instead of a camera; `sorter init` asks for yours")

    def reread() -> bool:
        nonlocal settings
        try:
            settings = read()
        except SorterError as error:
            log.warning("not reloaded, the bin goes on as it was: %s", error)
            return False
        log.warning("the configuration was read again")
        return True

    requests, clock = Requests(), SystemClock()
    requests.listen()
    open_loop = open_rehearsal if dry_run else partial(open_bin, on_new_model=requests.reload)
    with native_stderr_told_once():
        while True:
            requests.is_opening = True
            with open_loop(settings, clock, [Show(as_json=as_json).record], announce=tell_page) as loop:
                _tell_begin(settings, is_rehearsal=dry_run)
                ending = serve(loop, requests, reread)
                was_asked = isinstance(loop, RunningBin) and loop.wants_restart
            # Stopped while the last bin was still ending, too: the next one's camera may take its time.
            if ending is not Ending.RELOADED or requests.is_stopping:
                break
            # The network, sockets and threads of the last bin hang in cycles: there is no room for two.
            del loop
            gc.collect()
    if ending is Ending.SOURCE_ENDED and not was_asked:
        click.echo(f"the camera ({settings.camera.backend}) has shown all it has: the bin ends", err=True)


def _read(config_path: Path | None, overrides: tuple[str, ...], bundle: Path | None, site: Path | None) -> Config:
    from edge.assembly.misfits import misfits
    from edge.config import find_config, load_config, with_site

    choices = {"model.bundle": bundle, "site": site}
    chosen = [f"{key}={path}" for key, path in choices.items() if path is not None]
    return with_site(load_config(find_config(config_path), [*overrides, *chosen], checks=[misfits]))


def _tell_begin(settings: Config, *, is_rehearsal: bool) -> None:
    """A word to whoever looks on: until something is put in, there is nothing to print."""
    if sys.stderr.isatty():
        doing = "watching, nothing moves" if is_rehearsal else "sorting"
        click.echo(f"{doing}: put something before the camera ({settings.camera.backend}). Ctrl-C ends it.", err=True)
