"""What a running bin takes: `sorter run` in a process of its own, with a broker, a journal and item pictures.

    python -m tests.bench.running_memory [--clip FILE] [--seconds 60] [--set KEY=VALUE]

Without a clip it plays rendered items at 1280 x 720 from a file of JPEG frames, as most USB cameras send them. Prints
one line of JSON, in 1e6 bytes: `steady_mb` is the median of the second half, `peak_mb` what the kernel saw at most.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import cv2

from edge.benchmark.device import memory_mb
from edge.cameras.simulated import SimulatedFilm, load_scenes
from tests.edge.publishers.broker import Broker, Listener

WIDTH_PX, HEIGHT_PX = 1280, 720
RATE_HZ = 12.0
_EVERY_S = 0.5


def render(path: Path, num_items: int) -> None:
    """A film of the shipped items, in the middle of a frame of this size."""
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, RATE_HZ, (WIDTH_PX, HEIGHT_PX))
    for _, image in SimulatedFilm(load_scenes(), num_items, rate_hz=RATE_HZ).play():
        side = round((WIDTH_PX - HEIGHT_PX) / 2)
        square = cv2.resize(image, (HEIGHT_PX, HEIGHT_PX))
        wide = cv2.copyMakeBorder(square, 0, 0, side, side, cv2.BORDER_REPLICATE)
        writer.write(cv2.cvtColor(wide, cv2.COLOR_RGB2BGR))
    writer.release()


def measure(clip: Path, seconds: float, settings: list[str], folder: Path, mosquitto: str) -> dict[str, object]:
    """Run the bin for so long and watch it."""
    broker = Broker(mosquitto, folder)
    broker.start()
    listener = Listener(broker.port, "sorter/+/decision")
    chosen = [f"camera.source={clip}", "camera.backend=replay", "mqtt.host=127.0.0.1", f"mqtt.port={broker.port}"]
    command = ["sorter", "run", *(word for setting in (*chosen, *settings) for word in ("--set", setting))]
    resident: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **homes(folder)}) as process:
        ends_at_s = time.monotonic() + seconds
        while time.monotonic() < ends_at_s and process.poll() is None:
            time.sleep(_EVERY_S)
            if process.poll() is None:
                now_mb, peak_mb = memory_mb(process.pid)
                resident.append(now_mb)
        process.terminate()
    num_decisions = listener.messages.qsize()
    listener.close()
    broker.close()
    return {
        "clip": clip.name,
        "steady_mb": statistics.median(resident[len(resident) // 2 :]),
        "peak_mb": peak_mb,
        "decisions_at_the_broker": num_decisions,
        "exit_code": process.returncode,
    }


def homes(folder: Path) -> dict[str, str]:
    """A state of its own."""
    return {name: str(folder) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--mosquitto", default="/usr/sbin/mosquitto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip = arguments.clip
        if clip is None:
            clip = folder / "rendered.avi"
            render(clip, num_items=max(2, round(arguments.seconds / 4)))
        print(json.dumps(measure(clip, arguments.seconds, arguments.settings, folder, arguments.mosquitto)))


if __name__ == "__main__":
    main()
