"""`sorter calibrate`: make a bin fit its place. Light to import: what is heavy is imported inside the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.commands.options import (
    FiniteRange,
    bundle_option,
    config_option,
    json_option,
    set_option,
    site_option,
    verbosity_options,
)
from edge.errors import UsageError

if TYPE_CHECKING:
    from calibration.scores.judging import Evidence
    from calibration.talk import Desk

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_PRECISION = 0.97

_crops_option = click.option(
    "--crops", "are_crops", is_flag=True, help="The pictures show the item alone, whatever their size."
)
_pictures_argument = click.argument("pictures", type=click.Path(path_type=Path), required=False)
_reviewed_option = click.option(
    "--reviewed", "is_reviewed", is_flag=True, help="Judge by this bin's own items that were labelled in review."
)
_yes_option = click.option("-y", "--yes", "is_sure", is_flag=True, help="Ask nothing: keep what is found.")


def look_options(command: Command) -> Command:
    """What takes a site that is only looked at: which bin, and which site."""
    for option in (verbosity_options, json_option, set_option, site_option, bundle_option, config_option):
        command = option(command)
    return command


def step_options(command: Command) -> Command:
    """What every step takes that changes a site: which bin, which site, whether to ask."""
    return look_options(_yes_option(command))


@click.group(invoke_without_command=True, short_help="Make a bin fit its place.")
@step_options
@click.pass_context
def calibrate(context: click.Context, /, **chosen: Any) -> None:
    """Make a bin fit its place: camera, empty scene, and when to be sure. Each step can be done again, and undone.

    Without a step, all of them are done one after another, with what to do in plain words.
    """
    if context.invoked_subcommand is not None:
        if any(chosen.values()):
            raise UsageError(f"give the options after the step: sorter calibrate {context.invoked_subcommand} …")
        return
    from calibration.guided import walk_through

    walk_through(desk_of(**chosen), DEFAULT_PRECISION)


@calibrate.command(short_help="Focus, and lock the camera's settings.")
@click.option(
    "--region",
    nargs=4,
    type=FiniteRange(0, 1),
    metavar="LEFT TOP RIGHT BOTTOM",
    help="The part of the picture that counts, in shares of its width and height.",
)
@step_options
def camera(*, region: tuple[float, float, float, float] | None, **chosen: Any) -> None:
    """Focus, wait until brightness and color have settled, and lock the camera's settings as they are then."""
    from calibration.scene.camera import calibrate_camera
    from edge.presence.settings import Region

    calibrate_camera(desk_of(**chosen), None if region is None else Region(*region))


@calibrate.command()
@click.option("--images", type=click.Path(path_type=Path), help="Pictures of the empty scene instead of the camera.")
@click.option("--empty", "is_empty", is_flag=True, help="Nothing lies there, whatever it looks like.")
@step_options
def background(*, images: Path | None, is_empty: bool, **chosen: Any) -> None:
    """Learn what the scene looks like when nothing lies there."""
    from calibration.scene.background import calibrate_background

    calibrate_background(desk_of(**chosen), images, is_empty=is_empty)


@calibrate.command(short_help="Make the model as sure as it is right.")
@_pictures_argument
@_reviewed_option
@_crops_option
@step_options
def temperature(*, pictures: Path | None, is_reviewed: bool, are_crops: bool, **chosen: Any) -> None:
    """Make the model as sure as it is right, by labelled PICTURES: one subfolder for each class.

    A folder with a groups.csv that names splits is judged by its val part, which training has not seen.
    """
    from calibration.scores.judging import calibrate_temperature

    calibrate_temperature(desk_of(**chosen), _evidence(pictures, is_reviewed=is_reviewed, are_crops=are_crops))


@calibrate.command(short_help="Find out when to accept each class.")
@_pictures_argument
@_reviewed_option
@click.option(
    "--precision",
    type=FiniteRange(0.5, 1.0, max_open=True),
    help=f"The share of what is sorted that shall be right; {DEFAULT_PRECISION} by default.",
)
@click.option(
    "--costs",
    "costs_path",
    type=click.Path(path_type=Path),
    help="Instead: a TOML file with leave_cost and costs.BIN.LABEL, as [decision] has them.",
)
@_crops_option
@step_options
def thresholds(
    *,
    pictures: Path | None,
    is_reviewed: bool,
    precision: float | None,
    costs_path: Path | None,
    are_crops: bool,
    **chosen: Any,
) -> None:
    """Find out when to accept each class, by labelled PICTURES: one subfolder for each class.

    What is not accepted goes unsorted, as unknown: the surer the bin must be, the more of it.
    """
    from calibration.scores.judging import calibrate_thresholds
    from calibration.scores.wishes import wish_for

    evidence = _evidence(pictures, is_reviewed=is_reviewed, are_crops=are_crops)
    desk = desk_of(**chosen)
    wish, words = wish_for(desk, precision, costs_path, DEFAULT_PRECISION)
    calibrate_thresholds(desk, evidence, wish, words)


@calibrate.command(short_help="Find each flap's angles and times, by moving it.")
@click.option("--bin", "bin_name", help="Only this bin's flap.")
@click.option("--rest-angle", type=float, help="Where the flap is shut, degrees: its safe position.")
@click.option("--open-angle", type=float, help="Where it is open, degrees.")
@click.option("--open-s", type=FiniteRange(0, 60, min_open=True), help="How long it stays open.")
@click.option("--travel-s", type=FiniteRange(0, 60, min_open=True), help="How long one swing takes.")
@step_options
def actuators(
    *,
    bin_name: str | None,
    rest_angle: float | None,
    open_angle: float | None,
    open_s: float | None,
    travel_s: float | None,
    **chosen: Any,
) -> None:
    """Find the angles and times of each flap by moving it step by step. Keep fingers away from it."""
    from calibration.flaps import Given, calibrate_flaps

    calibrate_flaps(desk_of(**chosen), bin_name, Given(rest_angle, open_angle, open_s, travel_s))


@calibrate.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("calibration.html"), show_default=True, help="The page."
)
@look_options
def report(*, out: Path, **chosen: Any) -> None:
    """Write one HTML page with pictures of all that was calibrated. It opens anywhere, and fetches nothing."""
    from calibration.report import write_report

    desk = desk_of(**chosen)
    described = desk.folder.read()
    write_report(desk.parts(), described, desk.folder.path, out)
    desk.talk.say(f"Written to {out.absolute()}: open it in any browser.")
    desk.talk.result("report", {"report": str(out.absolute())})


@calibrate.command()
@step_options
def undo(**chosen: Any) -> None:
    """Go back to the site before the last step."""
    from calibration.site.differences import differences
    from edge.listing import counted

    desk = desk_of(**chosen)
    before = desk.folder.read_or_empty()
    after = desk.folder.undo()
    for line in (changes := differences(before, after)):
        desk.talk.say(f"  {line}")
    num_left = desk.folder.num_undoable()
    desk.talk.say(f"{desk.folder.path} is as it was before; {counted(num_left, 'more step')} can be undone.")
    desk.talk.result("undo", {"changed": True, "site": str(desk.folder.path), "changes": list(changes)})


@calibrate.command()
@look_options
def show(**chosen: Any) -> None:
    """Say what was calibrated, when, and what should be done next."""
    from calibration.overview import show_site

    show_site(desk_of(**chosen))


COMMANDS: list[click.Command] = [calibrate]


def _evidence(pictures: Path | None, *, is_reviewed: bool, are_crops: bool) -> Evidence:
    from calibration.scores.judging import Evidence

    if (pictures is None) != is_reviewed:
        raise UsageError("expected either PICTURES, a folder with one subfolder for each class, or --reviewed")
    return Evidence(pictures, are_crops)


def desk_of(
    *,
    config_path: Path | None,
    bundle: Path | None,
    site: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    is_sure: bool = False,
) -> Desk:
    """What `step_options` or `look_options` collected, opened."""
    from calibration.site.site_file import SiteFolder
    from calibration.talk import Desk, Talk, site_path
    from edge.config import find_config, load_config, with_choices

    config = with_choices(load_config(find_config(config_path), overrides), bundle, None)
    return Desk(config, SiteFolder(site_path(site, config)), Talk(is_sure, as_json))
