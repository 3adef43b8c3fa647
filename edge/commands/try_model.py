"""`sorter try`: drop pictures on a page, and see what a model says and what it looked at."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import click

from edge.commands.options import verbosity_options
from edge.commands.show import show_page


@click.command("try", short_help="Open a page to drop pictures on.")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where the page is; a free port by default.")
@verbosity_options
def try_model(bundle: Path | None, port: int) -> None:
    """Open a page on this machine where BUNDLE, or the shipped model, can be tried on any picture, until Ctrl-C."""
    from edge.assembly.page import new_server, window_of
    from edge.assembly.parts import load_parts
    from edge.config import Config, with_choices
    from edge.web.settings import PageSettings

    parts = load_parts(with_choices(Config(), bundle, None))
    window = replace(window_of(parts, None), name=parts.bundle.short_name)  # no bin has it yet
    server = new_server(PageSettings(port=port), window)
    server.start()
    show_page(server.address)
    try:
        threading.Event().wait()
    finally:
        server.stop()
