"""`sorter teach`: correct a class for this place, or add one. Light to import: what is heavy is imported inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from calibration.cli import desk_of, step_options
from calibration.teaching import NUM_ITEMS
from edge.errors import UsageError


@click.command(short_help="Teach this bin what something looks like here.")
@click.argument("label", required=False)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Learn from the pictures of this folder instead of the camera: of the scene as the camera sees it when its"
    " background was calibrated, else of the item alone. Without LABEL: a folder with one subfolder a class.",
)
@click.option("--crops", "are_crops", is_flag=True, help="The pictures show the item alone, whatever their size.")
@click.option(
    "--items", "num_items", type=click.IntRange(1, 100), default=NUM_ITEMS, show_default=True, help="How many to hold."
)
@click.option("--list", "is_list", is_flag=True, help="Say what was taught so far.")
@click.option("--evaluate", "is_evaluate", is_flag=True, help="Say how good that is, example by example left out.")
@click.option("--forget", metavar="LABEL", help="Unlearn a class that was taught.")
@click.option("--again", "is_again", is_flag=True, help="Teach a new model all that was taught to the one before.")
@step_options
def teach(
    *,
    label: str | None,
    images: Path | None,
    are_crops: bool,
    num_items: int,
    is_list: bool,
    is_evaluate: bool,
    forget: str | None,
    is_again: bool,
    **chosen: Any,
) -> None:
    """Teach this bin what LABEL looks like here: hold some items before its camera, or give pictures of them.

    LABEL is a class of the model, which is corrected for this place, or a new one. Before anything is kept you see
    what it is worth; `sorter calibrate undo` goes back.
    """
    is_shown = label is not None or images is not None
    if sum([is_shown, is_list, is_evaluate, forget is not None, is_again]) != 1:
        raise UsageError("expected one of LABEL, --images FOLDER, --list, --evaluate, --forget LABEL or --again")
    if are_crops and images is None:
        raise UsageError("expected --images FOLDER beside --crops: pictures of what?")
    from calibration.teaching.schooling import School, classes_in

    school = School(desk_of(**chosen))
    if label is not None and images is not None:
        school.teach_pictures({label: images}, are_crops=are_crops)
    elif images is not None:
        school.teach_pictures(classes_in(images), are_crops=are_crops)
    elif label is not None:
        school.teach_items(label, num_items)
    elif forget is not None:
        school.forget(forget)
    elif is_again:
        school.again()
    elif is_evaluate:
        school.evaluate()
    else:
        school.tell()


COMMANDS: list[click.Command] = [teach]
