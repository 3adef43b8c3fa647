"""`sorter actuators`: what moves, tried one by one, or all of it to its safe position."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import config_option, json_option, set_option, verbosity_options
from edge.errors import CheckFailedError, SorterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack

    from edge.actuators.base import Actuator
    from edge.config import Config
    from edge.config.sections import BinSection
    from edge.site import FlapStep

log = logging.getLogger(__name__)


@click.group()
def actuators() -> None:
    """List, try or make safe what opens the bins."""


@actuators.command("list")
@config_option
@set_option
@json_option
@verbosity_options
def list_actuators(config_path: Path | None, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Print each bin's actuator and what confirms its movements."""
    settings = _settings(config_path, overrides)
    for name, section in settings.bins.items():
        click.echo(_as_json(name, section) if as_json else _as_text(name, section))
    if not settings.bins and not as_json:
        click.echo("no bins are configured: each label is a bin of its own, and nothing moves")


@actuators.command(short_help="Put every actuator into its safe position.")
@config_option
@set_option
@verbosity_options
def safe(config_path: Path | None, overrides: tuple[str, ...]) -> None:
    """Put every actuator into its safe position: lines off, flaps at rest, carousel halted.

    The service does this itself; here it is for what a killed process left behind.
    """
    from contextlib import ExitStack

    from edge.actuators.worker import make_all_safe

    settings = _settings(config_path, overrides)
    with ExitStack() as stack:
        opened = _open(stack, settings, tuple(settings.bins))
        make_all_safe(opened)
        click.echo(f"safe: {', '.join(sorted(opened)) or 'no bins are configured'}")


@actuators.command(short_help="Move each bin's actuator once.")
@click.argument("bins", nargs=-1)
@config_option
@set_option
@json_option
@verbosity_options
def test(bins: tuple[str, ...], config_path: Path | None, overrides: tuple[str, ...], *, as_json: bool) -> None:
    """Move the actuators of BINS once, one after the other; all of them by default.

    The exit code is 1 when one failed, or its sensor did not confirm it.
    """
    from contextlib import ExitStack

    from edge.actuators.worker import Command, obey
    from edge.clock import SystemClock
    from edge.config.actuators import LogActuatorSection

    settings = _settings(config_path, overrides)
    if strangers := sorted(set(bins) - set(settings.bins)):
        raise UsageError(f"no bin is called {', '.join(strangers)}; there are {', '.join(settings.bins) or 'none'}")
    clock = SystemClock()
    problems = []
    with ExitStack() as stack:
        for name, actuator in _open(stack, settings, bins or tuple(settings.bins)).items():
            actuator.make_safe()
            report = obey(actuator, Command(0, name, clock.now_s()), clock)
            told = {True: "confirmed", False: "not confirmed", None: "moved"}[report.actuation.is_confirmed]
            answer = {"schema": 1, "bin": name, "confirmed": report.actuation.is_confirmed, "problem": report.problem}
            if isinstance(settings.bins[name].actuator, LogActuatorSection):
                told = "nothing to move: no actuator is configured"
            click.echo(json.dumps(answer) if as_json else f"{name}: {report.problem or told}")
            problems += [report.problem] if report.problem else []
            clock.sleep(settings.movements.min_pause_s)
    if problems:
        raise CheckFailedError("; ".join(problems))


def _settings(config_path: Path | None, overrides: Sequence[str]) -> Config:
    from edge.config import find_config, load_config, with_site

    return with_site(load_config(find_config(config_path), overrides))


def _open(stack: ExitStack, settings: Config, bins: tuple[str, ...]) -> dict[str, Actuator]:
    from edge.assembly.actuators import open_actuators

    # Nobody looks on here: movements that the camera would confirm are simply done.
    return open_actuators(stack, settings, bins, _flaps(settings), scene=None)


def _flaps(settings: Config) -> Mapping[str, FlapStep]:
    """How calibration found the servos to swing. A site that cannot be read must not keep a flap from its rest."""
    from edge.assembly.actuators import calibrated_flaps

    try:
        return calibrated_flaps(settings)
    except SorterError as error:
        log.warning("the site's flap angles are left out: %s", error)
        return {}


def _as_text(name: str, section: BinSection) -> str:
    settings = section.actuator.model_dump(exclude={"kind"})
    details = ", ".join(f"{key} {value}" for key, value in settings.items())
    confirm = "" if section.confirm is None else f"; confirmed by {section.confirm.by}"
    return f"{name}: {section.actuator.kind}{f' ({details})' if details else ''}{confirm}"


def _as_json(name: str, section: BinSection) -> str:
    confirm = None if section.confirm is None else section.confirm.model_dump(mode="json")
    return json.dumps(
        {"schema": 1, "bin": name, "actuator": section.actuator.model_dump(mode="json"), "confirm": confirm}
    )
