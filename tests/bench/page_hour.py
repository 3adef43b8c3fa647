"""What a page that stays open costs: two bins before the same camera, one with a browser on its page all the time.

    python -m tests.bench.page_hour [--minutes 60] [--rate HZ] [--size W H]

Both are `sorter run` with a journal on disk, in processes of their own, on an MJPEG camera of that rate; a frame
that comes while a loop is busy is lost. One page is open in a real Chromium, which draws the live picture and
follows the decisions; nobody looks at the other. Whatever else the machine does falls on both alike. Prints a line
a minute, then one line of JSON; exits with 1 when the page cost 5 % of the frames or more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.bench.page_cost import render
from tests.edge.web.standing import Visitor

MAX_COST = 0.05
NUM_ITEMS = 4
NUM_NOISES = 5
WARM_UP_S = 15.0
_COUNT_PICTURES = """() => {
  window.numDrawn = 0;
  document.getElementById("live-image").addEventListener("load", () => { window.numDrawn += 1; });
}"""


@dataclass(frozen=True)
class Standing:
    """What one bin has done since it began."""

    frames: int
    decisions: int
    memory_mb: float
    cpu_s: float


@dataclass(frozen=True)
class Tally:
    """What came out; `cost` is the share of the unwatched bin's frames that the watched one did not take."""

    minutes: float
    offered_by_camera: int
    alone: int
    watched: int
    cost: float
    pictures_drawn: int
    decisions_alone: int
    decisions_watched: int
    cpu_alone_s: float
    cpu_watched_s: float
    memory_alone_mb: float
    memory_watched_mb: float
    memory_growth_watched_mb: float


class Camera(ThreadingHTTPServer):
    """An MJPEG camera: whoever connects gets the same pictures at `rate_hz`, each at its time."""

    daemon_threads = True

    def __init__(self, pictures: list[bytes], rate_hz: float) -> None:
        super().__init__(("127.0.0.1", 0), _Stream)
        self.pictures = pictures
        self.rate_hz = rate_hz
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/stream.mjpg"


class _Stream(BaseHTTPRequestHandler):
    server: Camera

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        due_s = time.monotonic()
        for picture in cycle(self.server.pictures):
            due_s += 1 / self.server.rate_hz
            time.sleep(max(0.0, due_s - time.monotonic()))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + picture + b"\r\n")
            except OSError:
                return  # the bin hung up

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


def film(size: tuple[int, int]) -> list[bytes]:
    """Items that come and go, as JPEGs; with a sensor's noise, since a camera that repeats itself counts as stuck."""
    noise = np.random.default_rng(1).integers(-4, 5, (NUM_NOISES, size[1], size[0], 3), np.int16)
    pictures = []
    for index, image in enumerate(render(NUM_ITEMS)):
        resized = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
        noisy = cv2.add(resized, noise[index % NUM_NOISES], dtype=cv2.CV_8U)
        pictures.append(cv2.imencode(".jpg", noisy)[1].tobytes())
    return pictures


@contextmanager
def running(folder: Path, camera: Camera) -> Generator[Visitor]:
    """A bin before that camera, and who may ask its page."""
    folder.mkdir()
    settings = ["camera.backend=stream", f"camera.url={camera.url}", "web.port=0", "model.threads=1"]
    sorter = str(Path(sys.executable).with_name("sorter"))
    command = [sorter, "run", *(word for one in settings for word in ("--set", one))]
    environment = {**os.environ, "STATE_DIRECTORY": str(folder)}
    # Into a file: a pipe that nobody reads would fill within the hour and hold the bin up.
    log = folder / "log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, env=environment)
    try:
        yield Visitor(_address(log, process))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        if said := re.search(r"^the page: (\S+)", log.read_text(encoding="utf-8"), re.MULTILINE):
            return said[1]
        time.sleep(0.2)
    raise SystemExit(f"the bin did not start: {log.read_text(encoding='utf-8')}")


@contextmanager
def browser_on(address: str) -> Generator[Page]:
    """A real Chromium with the page open, drawing."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs a real browser: apt install chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=chromium, args=options) as browser:
            page = browser.new_page()
            page.goto(address)
            page.wait_for_selector("#live-image[src]")
            page.evaluate(_COUNT_PICTURES)
            yield page


def ask(visitor: Visitor) -> Standing:
    """What the bin's own metrics say."""
    text = visitor.ask("/metrics").body.decode()

    def total(name: str) -> float:
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))

    memory_mb = total("process_resident_memory_bytes") / 1e6
    frames, decisions = int(total("sorter_frames_total")), int(total("sorter_decisions_total"))
    return Standing(frames, decisions, memory_mb, total("process_cpu_seconds_total"))


def watch(alone: Visitor, watched: Visitor, page: Page, minutes: float, rate_hz: float) -> Iterator[Tally]:
    """What came out so far, each minute."""
    before = ask(alone), ask(watched)
    began_s, drawn = time.monotonic(), int(page.evaluate("window.numDrawn"))
    while (left_s := began_s + 60 * minutes - time.monotonic()) > 0:
        time.sleep(min(60, left_s))
        after = ask(alone), ask(watched)
        took_s = time.monotonic() - began_s
        num_alone, num_watched = (now.frames - then.frames for now, then in zip(after, before, strict=True))
        yield Tally(
            minutes=round(took_s / 60, 2),
            offered_by_camera=round(took_s * rate_hz),
            alone=num_alone,
            watched=num_watched,
            cost=round(1 - num_watched / num_alone, 4),
            pictures_drawn=int(page.evaluate("window.numDrawn")) - drawn,
            decisions_alone=after[0].decisions - before[0].decisions,
            decisions_watched=after[1].decisions - before[1].decisions,
            cpu_alone_s=round(after[0].cpu_s - before[0].cpu_s, 1),
            cpu_watched_s=round(after[1].cpu_s - before[1].cpu_s, 1),
            memory_alone_mb=round(after[0].memory_mb, 1),
            memory_watched_mb=round(after[1].memory_mb, 1),
            memory_growth_watched_mb=round(after[1].memory_mb - before[1].memory_mb, 1),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, dest="rate_hz", default=12.0, help="of the camera, frames/s")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("W", "H"))
    asked = parser.parse_args()
    camera = Camera(film(tuple(asked.size)), asked.rate_hz)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "alone", camera) as alone,
        running(Path(folder) / "watched", camera) as watched,
        browser_on(watched.address) as page,
    ):
        time.sleep(WARM_UP_S)
        for tally in watch(alone, watched, page, asked.minutes, asked.rate_hz):
            frames = f"{tally.alone} frames alone, {tally.watched} watched ({tally.cost:.2%} fewer)"
            print(f"{tally.minutes:6.1f} min: {frames}, {tally.pictures_drawn} pictures drawn", flush=True)
    print(json.dumps(asdict(tally)))
    raise SystemExit(0 if tally.cost < MAX_COST else 1)


if __name__ == "__main__":
    main()
