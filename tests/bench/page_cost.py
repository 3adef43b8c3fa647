"""What an open page costs the loop: frames/s with somebody watching, and with nobody, in turn.

python -m tests.bench.page_cost [--seconds S] [--pairs N] [--rate HZ]

The loop, its network and the page's server share one core; the visitor, a process of its own that asks as the
page in a browser does, has another. Without --rate the loop runs as fast as it can, over 1280 x 720 frames that
were rendered beforehand; with it, as fast as a camera of that rate gives them, and frames that come while
the loop is busy are lost. The last line, the processor time of the page's own threads, holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from edge.cameras.simulated import SimulatedFilm, load_scenes
from edge.clock import ReplayClock, SystemClock
from edge.config import Config
from edge.config.web import WebSection
from edge.loop import Loop
from edge.messages import Frame, Image
from edge.service import open_rehearsal

LOOP_CORE, VISITOR_CORE = 0, 1
SIZE = (1280, 720)


class EndlessCamera:
    """The same frames again and again; at `rate_hz` those that nobody waited for are lost, as a camera's are."""

    def __init__(self, images: list[Image], rate_hz: float | None) -> None:
        self._images = images
        self._rate_hz = rate_hz
        self._sequence = 0
        self._began_s = time.monotonic()

    def open(self) -> None:
        self._began_s = time.monotonic()

    def next_frame(self, timeout_s: float) -> Frame:  # noqa: ARG002 - there is always a frame
        if self._rate_hz is None:
            self._sequence += 1
        else:
            position = (time.monotonic() - self._began_s) * self._rate_hz
            due = max(self._sequence + 1, int(position))
            time.sleep(max(0.0, (due - position) / self._rate_hz))
            self._sequence = due
        image = self._images[self._sequence % len(self._images)]
        return Frame(self._sequence, self._sequence / 12, image)

    def close(self) -> None:
        """Nothing is open."""


def render(num_items: int) -> list[Image]:
    """Items that come and go, 1280 x 720."""
    wide = []
    for _, image in SimulatedFilm(load_scenes(), num_items).play():
        frame: Image = cv2.resize(image[60:420], SIZE, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        frame.setflags(write=False)
        wide.append(frame)
    return wide


@contextmanager
def visitor(address: str, counter: itertools.count[int]) -> Generator[int]:
    """The process id of somebody who watches, on another core; `counter` counts the pictures that they see."""
    command = [sys.executable, "-m", "tests.bench.page_visitor", address]
    os.sched_setaffinity(0, {VISITOR_CORE})  # what this thread starts inherits it
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(0, {LOOP_CORE})
        assert process.stdout is not None
        lines = process.stdout
        lines.readline()
        counting = threading.Thread(target=lambda: [next(counter) for _ in lines], daemon=True)
        counting.start()
        yield process.pid
        process.kill()
        counting.join()


def frames_a_second(loop: Loop, seconds: float) -> float:
    began_s, num_frames = time.monotonic(), loop.telemetry.num_frames
    while time.monotonic() - began_s < seconds:
        loop.step()
    return (loop.telemetry.num_frames - num_frames) / (time.monotonic() - began_s)


def measure(pairs: int, seconds: float, rate_hz: float | None) -> None:
    addresses: list[str] = []
    config = Config(web=WebSection(port=0), model={"threads": 1})  # type: ignore[arg-type]
    camera = EndlessCamera(render(4), rate_hz)
    clock = ReplayClock() if rate_hz is None else SystemClock()
    with open_rehearsal(config, clock, [], camera=camera, announce=addresses.append) as loop:
        os.sched_setaffinity(0, {LOOP_CORE})
        for task in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(task.name), {LOOP_CORE})
        frames_a_second(loop, 3)
        alone, watched, page_s, counter = [], [], 0.0, itertools.count()
        with visitor(addresses[0], counter) as visitor_id:
            for _ in range(pairs):
                # Short turns, so that what else the machine does falls on both alike.
                os.kill(visitor_id, signal.SIGSTOP)
                alone.append(frames_a_second(loop, seconds))
                os.kill(visitor_id, signal.SIGCONT)
                before_s = page_time_s()
                watched.append(frames_a_second(loop, seconds))
                page_s += page_time_s() - before_s
        num_pictures = next(counter)
    ratios = [1 - with_page / without for without, with_page in zip(alone, watched, strict=True)]
    low, high = np.percentile(ratios, (25, 75))
    watched_s = pairs * seconds
    print(f"alone   {statistics.mean(alone):8.2f} frames/s")
    print(f"watched {statistics.mean(watched):8.2f} frames/s, {num_pictures / watched_s:.1f} pictures sent")
    print(f"cost    {1 - statistics.mean(watched) / statistics.mean(alone):8.1%} of the frames", end=" ")
    print(f"(median of {pairs} turns {statistics.median(ratios):.1%}, half of them between {low:.1%} and {high:.1%})")
    per_picture_s = page_s / max(1, num_pictures)
    print(f"page    {page_s / watched_s:8.1%} of a core, {per_picture_s * 1000:.1f} ms a picture, all included")


def page_time_s() -> float:
    """Processor time that the page's threads have used, seconds."""
    names = {str(thread.native_id) for thread in threading.enumerate() if thread.name.startswith("page")}
    spent = [(Path("/proc/self/task") / name / "schedstat").read_text(encoding="ascii") for name in names]
    return sum(int(times.split()[0]) for times in spent) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--rate", type=float, dest="rate_hz")
    arguments = parser.parse_args()
    measure(arguments.pairs, arguments.seconds, arguments.rate_hz)


if __name__ == "__main__":
    main()
