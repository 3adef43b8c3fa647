"""`sorter service`: the bin as a systemd service."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import verbosity_options
from edge.errors import CheckFailedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.host.installation import Step

dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("/"),
    metavar="FOLDER",
    help="Put the files below FOLDER, an image that boots later, and run nothing.",
)


@click.group(short_help="Start the bin with the device.")
def service() -> None:
    """Let the bin start with the device, and be restarted when it hangs."""


@service.command()
@dry_run_option
@root_option
@click.option("--no-start", is_flag=True, help="Enable it for the next boot, but do not start it now.")
@verbosity_options
def install(*, dry_run: bool, root: Path, no_start: bool) -> None:
    """Write the unit, the udev rules and the user, and start the bin. Doing it again changes nothing."""
    from edge.host.installation import plan_install

    program = (
        Path(sys.argv[0]).resolve() if Path(sys.argv[0]).name == "sorter" else Path(shutil.which("sorter") or "sorter")
    )
    _go(plan_install(program, root, is_started=not no_start), dry_run=dry_run)
    if not dry_run:
        click.echo(
            "installed; next: describe your bin in /etc/sorter/sorter.toml (`sudo sorter init` asks), "
            "then sudo systemctl restart sorter; sorter service status"
        )


@service.command()
@dry_run_option
@root_option
@click.option("--purge", is_flag=True, help="Also the configuration, the site file, every decision and the user.")
@verbosity_options
def uninstall(*, dry_run: bool, root: Path, purge: bool) -> None:
    """Stop the bin and take away what install wrote. What belongs to the owner stays unless --purge."""
    from edge.host.installation import plan_uninstall

    _go(plan_uninstall(root, is_purged=purge), dry_run=dry_run)


@service.command(short_help="Say how the service is.")
@verbosity_options
def status() -> None:
    """Say in one line how the service is; the exit code is 1 when it does not run, or something is wrong."""
    from edge.doctor.machine import Machine
    from edge.host.installation import is_booted

    if not is_booted():
        raise UnavailableError("systemd does not run this machine: start the bin with `sorter run`")
    for finding in Machine().service():
        click.echo(f"{finding.level.value}: {finding.found}" + (f"; {finding.advice}" if finding.advice else ""))
        if finding.level != "ok":
            raise CheckFailedError("the service is not as it should be")


def _go(steps: Sequence[Step], *, dry_run: bool) -> None:
    from edge.host.installation import carry_out

    for line in map(str, steps) if dry_run else carry_out(steps):
        click.echo(line)
