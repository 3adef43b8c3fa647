"""`sorter record`: what the camera sees, kept so that a mistake in the field becomes a test."""

from __future__ import annotations

from pathlib import Path

import click

from edge.commands.options import config_option, set_option, verbosity_options

FRAME_TIMEOUT_S = 5.0


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@config_option
@set_option
@click.option("--seconds", "duration_s", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True)
@click.option("--jpeg", "jpeg_quality", type=click.IntRange(1, 100), help="Quality; smaller files, not the same bits.")
@verbosity_options
def record(
    out: Path, config_path: Path | None, overrides: tuple[str, ...], duration_s: float, jpeg_quality: int | None
) -> None:
    """Keep frames and their times in the new folder OUT, until --seconds have passed or Ctrl-C.

    `sorter replay OUT` then shows the loop exactly what the camera saw.
    """
    from edge.assembly.cameras import open_camera
    from edge.cameras.recording import FrameRecorder, RecordingHeader
    from edge.clock import SystemClock, rfc3339
    from edge.config import find_config, load_config

    settings = load_config(find_config(config_path), overrides)
    clock = SystemClock()
    camera = open_camera(settings.camera, clock)
    header = RecordingHeader.of(rfc3339(clock.wall(0.0)), settings.camera.backend, None, jpeg_quality)
    with FrameRecorder(out, header) as recorder:
        try:
            camera.open()
            while clock.now_s() < duration_s and (frame := camera.next_frame(FRAME_TIMEOUT_S)) is not None:
                recorder.add(frame)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            camera.close()
    click.echo(f"{out}: {recorder.num_frames} frames; next: sorter replay {out}")
