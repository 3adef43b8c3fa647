"""`sorter replay`: the whole loop over a video or a folder of pictures, every frame, repeatable."""

from __future__ import annotations

from pathlib import Path

import click

from edge.commands.options import (
    bundle_option,
    config_option,
    json_option,
    path_argument,
    set_option,
    site_option,
    verbosity_options,
)
from edge.commands.show import show_record


@click.command()
@path_argument("source")
@config_option
@bundle_option
@site_option
@set_option
@json_option
@verbosity_options
def replay(
    source: Path,
    config_path: Path | None,
    bundle: Path | None,
    site: Path | None,
    overrides: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Run SOURCE, a video file or a folder of pictures, through the loop and print each decision.

    Settings come from --config; its actuators and broker are left alone. The same source and settings
    print the same lines again, but for the wall time `ts`.
    """
    from edge.clock import ReplayClock
    from edge.config import ReplayCameraSection, load_config, with_choices
    from edge.service import open_rehearsal

    settings = with_choices(load_config(config_path, overrides), bundle, site)
    settings = settings.model_copy(update={"camera": ReplayCameraSection(backend="replay", source=source)})
    with open_rehearsal(settings, ReplayClock(), [lambda record: show_record(record, as_json=as_json)]) as loop:
        loop.run_to_end()
