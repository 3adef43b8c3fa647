"""`sorter demo`: the whole loop with the shipped model, no camera, no data, no broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, json_option, verbosity_options
from edge.commands.show import Show

if TYPE_CHECKING:
    from edge.messages import Decision


@click.command()
@click.option(
    "--items", "num_items", type=click.IntRange(1, 1000), default=12, show_default=True, help="How many come."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another day.")
@click.option("--fast", is_flag=True, help="As fast as this machine can, not at the scene's own pace.")
@bundle_option
@json_option
@verbosity_options
def demo(num_items: int, seed: int, *, fast: bool, bundle: Path | None, as_json: bool) -> None:
    """Play rendered items before a simulated camera and print each decision as it falls."""
    from edge.cameras.simulated import SimulatedFilm, load_stage
    from edge.clock import ReplayClock, SystemClock
    from edge.config import Config, with_choices
    from edge.config.sections import SimulatedCameraSection
    from edge.scoring import Truth, score
    from edge.service import open_rehearsal

    section = SimulatedCameraSection(num_items=num_items, seed=seed)
    film = SimulatedFilm(load_stage(), num_items, rate_hz=section.rate_hz, seed=seed)
    truth = Truth.model_validate({"events": [visit.truth() for visit in film.visits]})
    shown = Show(as_json=as_json)
    decisions: list[Decision] = []
    shown.say(f"{num_items} rendered items come before a simulated camera; nothing real moves.\n")
    settings = with_choices(Config(camera=section), bundle, None)
    with open_rehearsal(
        settings,
        ReplayClock() if fast else SystemClock(),
        [shown.record, lambda record: decisions.append(record.decision)],
    ) as loop:
        loop.run_to_end()
    shown.score(score(decisions, truth))
