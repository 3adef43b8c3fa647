"""`sorter doctor`: what is well with this bin, what is not, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import config_option, json_option, set_option, verbosity_options
from edge.errors import CheckFailedError

if TYPE_CHECKING:
    from edge.doctor.finding import Finding

_MARKS = {
    "ok": click.style("ok     ", fg="green"),
    "warning": click.style("warning", fg="yellow"),
    "failure": click.style("FAILURE", fg="red", bold=True),
}


@click.command(short_help="Say what is wrong here, and what to do.")
@config_option
@set_option
@click.option(
    "--pack",
    "archive",
    type=click.Path(path_type=Path),
    metavar="FILE.tar.gz",
    help="Pack report, settings and log, without passwords, tokens and names, to send when you ask for help.",
)
@json_option
@verbosity_options
def doctor(config_path: Path | None, overrides: tuple[str, ...], archive: Path | None, *, as_json: bool) -> None:
    """Look at the camera, the model, GPIO, the broker, the disk, the clock and the power, and say what to do.

    What a running bin has at work, its camera and its lines, is passed over. The exit code is 1 when something
    keeps the bin from sorting.
    """
    from edge.config import Config, find_config, load_config, with_site
    from edge.doctor.report import examinations, pack, to_json, without_configuration
    from edge.errors import ConfigError

    path = find_config(config_path)
    try:
        settings = with_site(load_config(path, overrides))
    except ConfigError as error:
        settings, examined = Config(), without_configuration(error)
    else:
        examined = examinations(settings, path)
    findings = []
    for finding in examined:
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    if as_json:
        click.echo(json.dumps(to_json(findings), indent=2))
    if archive is not None:
        pack(archive, findings, settings)
        click.echo(f"packed {archive}", err=True)
    if num_failed := sum(finding.level == "failure" for finding in findings):
        raise CheckFailedError(f"{num_failed} of {len(findings)} findings keep the bin from sorting; see FAILURE above")


def _line(finding: Finding) -> str:
    advice = f"\n                      {finding.advice}" if finding.advice else ""
    return f"{_MARKS[finding.level]}  {finding.topic:<12} {finding.found}{advice}"
