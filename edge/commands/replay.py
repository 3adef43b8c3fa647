"""`sorter replay`: the whole loop over a video or a folder of pictures, every frame, repeatable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
from edge.commands.show import Show

if TYPE_CHECKING:
    from edge.messages import Decision


@click.command(short_help="Run the loop over a video, recording or folder.")
@path_argument("source")
@config_option
@bundle_option
@site_option
@set_option
@click.option("--truth", "truth_path", type=click.Path(path_type=Path), help="Score the decisions against this file.")
@click.option(
    "--expect",
    "expected_path",
    type=click.Path(path_type=Path),
    help="Fail when a decision differs from those in this file, the lines of an earlier --json.",
)
@json_option
@verbosity_options
def replay(
    source: Path,
    config_path: Path | None,
    bundle: Path | None,
    site: Path | None,
    overrides: tuple[str, ...],
    truth_path: Path | None,
    expected_path: Path | None,
    *,
    as_json: bool,
) -> None:
    """Run SOURCE, a video, a recording or a folder of pictures, through the loop and print each decision.

    Settings come from --config, and with them this machine's site file; its actuators and broker are left alone. The
    pictures of a folder follow each other at camera.rate_hz, 12 a second where that is not set. The same source and
    settings print the same lines again, but for the wall time `ts`. With --truth, the last lines say which item was
    taken for what, and how many were right, missed, invented or decided twice. With --expect, it ends with code 1 when
    outcome, label or bin of a decision differ, or its time by more than a frame.
    """
    from edge.clock import ReplayClock
    from edge.config import load_config, with_choices, with_site
    from edge.config.sections import ReplayCameraSection
    from edge.errors import CheckFailedError
    from edge.service import open_rehearsal
    from edge.truth.expectations import differences, load_expected
    from edge.truth.scoring import check_fits, load_truth, score, strange_labels

    truth = load_truth(truth_path) if truth_path is not None else None
    expected = load_expected(expected_path) if expected_path is not None else None
    settings = with_choices(load_config(config_path, overrides), bundle, site)
    settings = settings if config_path is None else with_site(settings)
    rate = settings.camera.model_dump(include={"rate_hz"}, exclude_unset=True)
    camera = ReplayCameraSection(backend="replay", source=source, **rate)
    settings = settings.model_copy(update={"camera": camera, "web": None})
    shown = Show(as_json=as_json)
    decisions: list[Decision] = []
    with open_rehearsal(
        settings, ReplayClock(), [shown.record, lambda record: decisions.append(record.decision)]
    ) as loop:
        loop.run_to_end()
    if not decisions:
        shown.nothing(loop.telemetry, loop.duration_s)
    if truth is not None:
        check_fits(truth, loop.duration_s)
        shown.score(score(decisions, truth))
        labels = sorted({label for decision in decisions for label in decision.scores})
        shown.strange(strange_labels(truth, labels), labels)
    if expected is not None and (differing := differences(expected, decisions, loop.frame_s)):
        raise CheckFailedError("\n".join([f"the decisions differ from {expected_path}:", *differing]))
