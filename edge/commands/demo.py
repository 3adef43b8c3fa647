"""`sorter demo`: the whole loop with the shipped model, no camera, no data, no broker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, json_option, verbosity_options
from edge.commands.show import Show, show_page

if TYPE_CHECKING:
    from edge.messages import Decision


@click.command()
@click.option("--items", "num_items", type=click.IntRange(1, 1000), help="How many come; 12, with --web 1000.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another day.")
@click.option("--fast", is_flag=True, help="As fast as this machine can, not at the scene's own pace.")
@click.option("--web", "has_page", is_flag=True, help="Open the page, and go on until Ctrl-C.")
@bundle_option
@json_option
@verbosity_options
def demo(num_items: int | None, seed: int, *, fast: bool, has_page: bool, bundle: Path | None, as_json: bool) -> None:
    """Play rendered items before a simulated camera and print each decision as it falls."""
    from edge.cameras.simulated import SimulatedFilm, load_stage
    from edge.clock import ReplayClock, SystemClock
    from edge.config import Config, with_choices
    from edge.config.sections import SimulatedCameraSection
    from edge.config.web import WebSection
    from edge.scoring import Truth, score
    from edge.service import open_rehearsal

    num_items = num_items or (1000 if has_page else 12)
    section = SimulatedCameraSection(num_items=num_items, seed=seed)
    film = SimulatedFilm(load_stage(), num_items, rate_hz=section.rate_hz, seed=seed)
    truth = Truth.model_validate({"events": [visit.truth() for visit in film.visits]})
    shown = Show(as_json=as_json)
    decisions: list[Decision] = []
    shown.say(f"{num_items} rendered items come before a simulated camera; nothing real moves.\n")
    settings = with_choices(Config(camera=section, web=WebSection() if has_page else None), bundle, None)
    with open_rehearsal(
        settings,
        ReplayClock() if fast else SystemClock(),
        [shown.record, lambda record: decisions.append(record.decision)],
        announce=show_page,
    ) as loop:
        loop.run_to_end()
    shown.score(score(decisions, truth))
