"""What the loop costs beside the network, and beside the most careful loop that does nothing else.

python -m tests.bench.speed [--items N] [--repeats N]

Renders a 1280x720 clip from the shipped scenes, then, on one core: the time of each stage a frame, the
network's own `invoke` in the same run, and whole processes in turn, careful loop against `sorter replay`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2

from edge.cameras.simulated import SimulatedFilm, load_scenes
from edge.clock import ReplayClock
from edge.config import Config
from edge.config.sections import ReplayCameraSection
from edge.running.telemetry import Stage
from edge.service import open_rehearsal

SIZE = (1280, 720)


def write_clip(path: Path, num_items: int) -> int:
    """The simulated bin at 1280x720, as H.264's older cousin in MP4; the number of frames."""
    film = SimulatedFilm(load_scenes(), num_items)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, SIZE)
    num_frames = 0
    for _, image in film.play():
        wide = cv2.resize(image[60:420], SIZE, interpolation=cv2.INTER_LINEAR)
        writer.write(wide[..., ::-1])
        num_frames += 1
    writer.release()
    return num_frames


def stage_times(clip: Path) -> None:
    """Mean milliseconds a frame of each stage, over all frames, and of one invoke."""
    config = Config(camera=ReplayCameraSection(backend="replay", source=clip), model={"threads": 1})  # type: ignore[arg-type]
    with open_rehearsal(config, ReplayClock(), []) as loop:
        loop.run_to_end()
        telemetry = loop.telemetry
    totals_ms = {stage: telemetry.total_s(stage) * 1000 for stage in Stage}
    invoke_ms = totals_ms[Stage.CLASSIFY] / max(1, telemetry.count(Stage.CLASSIFY))
    for stage, total_ms in totals_ms.items():
        print(f"{stage.value:10} {total_ms / telemetry.num_frames:6.3f} ms a frame, {telemetry.count(stage)} runs")
    outside_ms = sum(totals_ms[stage] for stage in (Stage.PRESENCE, Stage.CROP, Stage.DECIDE)) / telemetry.num_frames
    print(
        f"outside the network {outside_ms:.3f} ms a frame, one invoke {invoke_ms:.3f} ms: {outside_ms / invoke_ms:.2f}"
    )


def whole_processes(clip: Path, repeats: int) -> None:
    """Wall time of both loops in turn, and the median of the ratios pair by pair."""
    careful = [sys.executable, "-m", "tests.bench.careful_loop", str(clip)]
    replay = [str(Path(sys.executable).with_name("sorter")), "replay", str(clip), "--set", "model.threads=1"]
    pairs = [(timed(careful), timed(replay)) for _ in range(repeats)]
    ratios = [ours / theirs for theirs, ours in pairs]
    print(f"careful loop {statistics.median(pair[0] for pair in pairs):.2f} s, sorter replay", end=" ")
    print(f"{statistics.median(pair[1] for pair in pairs):.2f} s: ratio {statistics.median(ratios):.2f}", end=" ")
    print(f"({min(ratios):.2f} to {max(ratios):.2f}, {repeats} pairs)")


def timed(command: Sequence[str]) -> float:
    """Wall seconds of a whole process."""
    began_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {0})
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        print(f"{write_clip(clip, arguments.items)} frames of {SIZE[0]}x{SIZE[1]}, one core")
        stage_times(clip)
        whole_processes(clip, arguments.repeats)


if __name__ == "__main__":
    main()
