"""`sorter demo`: the whole loop with the shipped model, no camera, no data, no broker."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.commands.options import bundle_option, json_option, verbosity, verbosity_options
from edge.commands.show import Show, show_page

if TYPE_CHECKING:
    from edge.commands.live_view import LiveView
    from edge.messages import Decision


@click.command(short_help="Show rendered items being sorted; needs no camera.")
@click.option("--items", "num_items", type=click.IntRange(1, 1000), help="How many come; 12, with --web 1000.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Another seed, another light.")
@click.option("--fast", is_flag=True, help="As fast as this machine can, not at the scene's own pace.")
@click.option("--web", "has_page", is_flag=True, help="Show it on the page.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Where the page is.")
@bundle_option
@json_option
@verbosity_options
def demo(
    num_items: int | None, seed: int, port: int, *, fast: bool, has_page: bool, bundle: Path | None, as_json: bool
) -> None:
    """Play a film of rendered items that fall into a bin, and print each decision as it falls."""
    from edge.cameras.simulated import SimulatedFilm, load_scenes
    from edge.clock import ReplayClock, SystemClock
    from edge.config import Config, with_choices
    from edge.config.sections import SimulatedCameraSection
    from edge.config.web import WebSection
    from edge.service import open_rehearsal
    from edge.truth.scoring import score

    num_items = num_items or (1000 if has_page else 12)
    section = SimulatedCameraSection(num_items=num_items, seed=seed)
    film = SimulatedFilm(load_scenes(), num_items, rate_hz=section.rate_hz, seed=seed)
    shown = Show(as_json=as_json)
    decisions: list[Decision] = []
    settings = with_choices(Config(camera=section, web=WebSection(port=port) if has_page else None), bundle, None)
    clock = ReplayClock() if fast else SystemClock()
    with ExitStack() as stack:
        is_plain = as_json or has_page or verbosity() < 0
        view = None if is_plain else _live_view(stack, bundle, f"sorter demo: rendered items, {num_items} in all")
        listeners = [shown.record if view is None else view.tell, lambda record: decisions.append(record.decision)]
        observers = [] if view is None else [view.saw]
        loop = stack.enter_context(open_rehearsal(settings, clock, listeners, announce=show_page, observers=observers))
        if view is None:
            shown.say(f"Rendered items fall into a simulated bin, {num_items} in all; nothing real moves.\n")
        loop.run_to_end()
    shown.score(score(decisions, film.truth(), loop.began_s))


def _live_view(stack: ExitStack, bundle: Path | None, title: str) -> LiveView | None:
    """A picture at the terminal, where there is one that can show it."""
    from edge.bundle import DEFAULT_BUNDLE, load_bundle
    from edge.commands.live_view import LiveView, fits

    if not fits():
        return None
    labels = load_bundle(bundle or DEFAULT_BUNDLE).manifest.labels  # without a configuration each has its own bin
    return stack.enter_context(LiveView(title, labels, labels))
