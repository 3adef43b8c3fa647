"""`sorter simulate`: a clip like a bin's camera would see, with its truth, from photographs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from edge.commands.options import FiniteRange, verbosity, verbosity_options


@click.command(short_help="Build a clip of photographed items.")
@click.option(
    "--items",
    "items_path",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of photographs, one subfolder a class; each item is cut out of its plain ground.",
)
@click.option(
    "--background",
    type=click.Path(path_type=Path),
    required=True,
    help="Picture of an empty scene, or a folder of them.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The clip, .mp4 or .avi; truth beside it.")
@click.option("--limit", type=click.IntRange(1), default=12, show_default=True, help="How many items, classes in turn.")
@click.option("--pairs", "pair_share", type=FiniteRange(0, 1), default=0.0, help="Share of visits of two at once.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, another clip.")
@click.option(
    "--size",
    type=(FiniteRange(0.02, 1), FiniteRange(0.02, 1)),
    default=(0.25, 0.75),
    show_default=True,
    metavar="LEAST MOST",
    help="The items' longer sides, as shares of the picture's shorter one.",
)
@click.option("--brightness", type=FiniteRange(0.01, 4), default=1.0, show_default=True, help="Of the lamp.")
@click.option(
    "--tint",
    type=(FiniteRange(0.1, 4), FiniteRange(0.1, 4), FiniteRange(0.1, 4)),
    default=(1.0, 1.0, 1.0),
    show_default=True,
    metavar="R G B",
    help="Of the lamp.",
)
@click.option("--force", is_flag=True, help="Replace a clip that is there already.")
@verbosity_options
def simulate(
    *,
    items_path: Path,
    background: Path,
    out: Path,
    limit: int,
    pair_share: float,
    seed: int,
    size: tuple[float, float],
    brightness: float,
    tint: tuple[float, float, float],
    force: bool,
) -> None:
    """Build a clip in which photographed items fall, slide or are laid before a camera, rest, and go.

    Light drifts, the sensor is noisy, hands come without items; OUT.json says what happens when. The clip is as
    large as the background, up to 1280 pixels across; of several backgrounds the seed chooses one.
    """
    from edge.simulation.clip import check_clip, load_cutouts, load_grounds, stage_size, write_clip
    from edge.simulation.lens import Conditions
    from edge.simulation.scene import Plan, Scene

    check_clip(out, should_replace=force)
    grounds = load_grounds(background)
    ground = grounds[seed % len(grounds)]
    plan = Plan(*stage_size(ground), pair_share=pair_share, scale=(min(size), max(size)))
    conditions = Conditions(brightness=brightness, tint=tint)
    items = load_cutouts(items_path, limit)
    scene = Scene(items, ground, plan, conditions, seed)
    truth = write_clip(scene, out, should_replace=force)
    sheets = [item.source for item in items if item.is_sheet]
    if sheets and verbosity() >= 0:
        some = ", ".join(sheets[:3]) + (" and others" if len(sheets) > 3 else "")
        click.echo(
            f"without an outline to cut along, in the clip whole, like prints: {len(sheets)} of {len(items)}"
            f" photographs ({some}). That is right for cardboard and paper that fill the picture; photograph other"
            " items apart from each other, on a plain ground with a rim of it all around.",
            err=True,
        )
    next_step = shlex.join(["sorter", "replay", str(out), "--truth", str(truth)])
    click.echo(f"{out} and {truth}: {len(scene.visits)} visits; next: {next_step}")
