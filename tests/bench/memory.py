"""Does the loop's memory stay flat? The same minute at the bin, over and over.

python -m tests.bench.memory [--frames N]

Prints the resident memory every tenth of the way, and how far the last half of it grew.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from itertools import count
from pathlib import Path

from edge.cameras.film import FilmCamera
from edge.cameras.simulated import SimulatedFilm, load_scenes
from edge.clock import ReplayClock
from edge.config import Config
from edge.messages import Image
from edge.service import open_rehearsal

RATE_HZ = 12.0


class EndlessFilm:
    """One short film again and again, its pictures held in memory, its times going on."""

    def __init__(self, num_frames: int) -> None:
        self._num_frames = num_frames
        self._pictures = [image for _, image in SimulatedFilm(load_scenes(), 8).play()]

    def play(self) -> Generator[tuple[float, Image], None, None]:
        for index in range(self._num_frames):
            yield index / RATE_HZ, self._pictures[index % len(self._pictures)]


def resident_mb() -> float:
    """Resident memory of this process; proc(5), statm."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    num_frames = parser.parse_args().frames
    clock = ReplayClock()
    camera = FilmCamera(EndlessFilm(num_frames), clock)
    num_decisions = count()
    marks: list[float] = []
    with open_rehearsal(Config(), clock, [lambda _: next(num_decisions)], camera=camera) as loop:
        while loop.step():
            if loop.telemetry.num_frames % (num_frames // 10) == 0:
                marks.append(resident_mb())
                print(f"{loop.telemetry.num_frames} frames: {marks[-1]:.1f} MB", flush=True)
    print(f"{next(num_decisions)} decisions; the second half grew by {marks[-1] - marks[len(marks) // 2 - 1]:.1f} MB")


if __name__ == "__main__":
    main()
