"""`sorter record`: what the camera sees, kept so that a mistake in the field becomes a test."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from edge.commands.options import FiniteRange, config_option, set_option, verbosity_options
from edge.listing import counted


@click.command(short_help="Keep what the camera sees, for a replay.")
@click.argument("out", type=click.Path(path_type=Path))
@config_option
@set_option
@click.option(
    "--seconds", "duration_s", type=FiniteRange(0, min_open=True), default=60.0, show_default=True, help="How long."
)
@click.option("--jpeg", "jpeg_quality", type=click.IntRange(1, 100), help="Quality; smaller files, not the same bits.")
@verbosity_options
def record(
    out: Path, config_path: Path | None, overrides: tuple[str, ...], duration_s: float, jpeg_quality: int | None
) -> None:
    """Keep frames and their times in the new folder OUT, until --seconds have passed or Ctrl-C.

    The seconds count from the first frame. A fault of the camera leaves a gap, as it would for a bin.
    `sorter replay OUT` then shows the loop exactly what the camera saw.
    """
    from edge.assembly.cameras import open_camera
    from edge.cameras.recording import FrameRecorder, RecordingHeader, check_folder, keep_frames
    from edge.cameras.recover import ReopeningCamera
    from edge.clock import SystemClock, rfc3339
    from edge.config import find_config, load_config

    settings = load_config(find_config(config_path), overrides)
    check_folder(out)
    clock = SystemClock()
    camera = open_camera(settings.camera, clock)
    try:
        camera.open()
        report = camera.report if isinstance(camera, ReopeningCamera) else None
        header = RecordingHeader.of(rfc3339(clock.wall(clock.now_s())), settings.camera.backend, report, jpeg_quality)
        with FrameRecorder(out, header) as recorder:
            try:
                keep_frames(camera, recorder, clock, duration_s)
            except KeyboardInterrupt:
                click.echo("stopped", err=True)
    finally:
        camera.close()
    click.echo(f"{out}: {counted(recorder.num_frames, 'frame')}; next: sorter replay {shlex.quote(str(out))}")
