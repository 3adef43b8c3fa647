"""Cuts the rendered pictures into the simulated camera's film and writes its truth beside it.

python3 -m tests.scenes.cut_film WORK edge/cameras/scenes

WORK is what render_film.py wrote. The light changes here: daylight comes and goes, somebody's shadow passes, the
lamp flickers. The film ends as it begins, so that it can be shown in a loop. Needs ffmpeg with x264.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = tuple[int, int, int, int]

RATE_HZ = 12
WIDTH_PX, HEIGHT_PX = 640, 480
FEATHER_PX = 14  # a rendered part's edge fades into the empty bin's picture
GAPS, RESTS = (13, 10, 16), (24, 28, 21)  # frames; they take turns
DAYLIGHT = 0.07  # how much more and less light there is than on the mean
SHADOWS = ((2, 6), (7, 10), (10, 4))  # visit, frames after it came to rest: somebody passes
SHADOW_FRAMES, SHADOW_DEPTH = 22, 0.22
FLICKERS = ((4, 9), (8, 12), (8, 14))  # visit, frames after it came to rest: the lamp sags for a frame
FLICKER_DEPTH = 0.10
CONSTANT_RATE_FACTOR = 20  # of x264


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of the film: the files it is made of, the later ones upon the earlier."""

    ground: Path
    part: Path | None = None
    box: Pixels = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Cut:
    """The film before its light: its frames, and the truth's events in frames."""

    frames: list[Shown]
    events: list[dict[str, Any]]


def cut(work: Path, names: list[str]) -> Cut:
    """Lines up gaps, flights, rests and falls."""
    flap = sorted(work.glob("flap_??.png"))
    cut_ = Cut([], [])
    for number, name in enumerate(names):
        cut_.frames.extend([Shown(flap[0])] * GAPS[number % len(GAPS)])
        _visit(cut_, work / name, flap, RESTS[number % len(RESTS)])
    cut_.frames.extend([Shown(flap[0])] * GAPS[0])
    return cut_


def _visit(cut_: Cut, folder: Path, flap: list[Path], num_resting: int) -> None:
    record = json.loads((folder / "visit.json").read_text())
    rest, begin = int(record["rest"]), len(cut_.frames)
    for index in range(rest):
        cut_.frames.append(_shown(folder, index, flap[0], record))
    cut_.frames.extend([_shown(folder, rest, flap[0], record)] * num_resting)
    for swing in range(1, len(flap)):
        cut_.frames.append(_shown(folder, rest + swing, flap[swing], record))
    first = next(index for index in range(rest + 1) if _part(folder, index).exists())
    cut_.events.append(
        {
            "label": record["label"],
            "source": record["name"],
            "enters": begin + first,
            "settled": begin + rest,
            "leaves": begin + rest + num_resting,
            "gone": len(cut_.frames),
            "box": record["box"],
        }
    )


def _part(folder: Path, index: int) -> Path:
    return folder / f"{index:02}.png"


def _shown(folder: Path, index: int, ground: Path, record: dict[str, Any]) -> Shown:
    part = _part(folder, index)
    return Shown(ground, part, tuple(record["boxes"][index])) if part.exists() else Shown(ground)


def compose(shown: Shown) -> Floats:
    """The frame in even light, (H, W, 3) float32 BGR."""
    picture = _load(shown.ground, (WIDTH_PX, HEIGHT_PX))
    if shown.part is None:
        return picture
    x, y, width, height = shown.box
    part = _load(shown.part, (width, height))
    inside = (slice(y, y + height), slice(x, x + width))
    share = _feather(shown.box)[..., None]
    picture[inside] = part * share + picture[inside] * (1 - share)
    return picture


def _load(path: Path, size: tuple[int, int]) -> Floats:
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} cannot be read: render it again")
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)  # drafts are smaller


def _feather(box: Pixels) -> Floats:
    """1 within the box and 0 at its edges, but for those that are the picture's own."""
    x, y, width, height = box
    across = _fade(width, is_open=(x > 0, x + width < WIDTH_PX))
    down = _fade(height, is_open=(y > 0, y + height < HEIGHT_PX))
    return np.minimum(across[None, :], down[:, None])


def _fade(length: int, is_open: tuple[bool, bool]) -> Floats:
    at = np.arange(length, dtype=np.float32)
    first = at / FEATHER_PX if is_open[0] else np.ones_like(at)
    last = (length - 1 - at) / FEATHER_PX if is_open[1] else np.ones_like(at)
    return np.clip(np.minimum(first, last), 0, 1)


def lights(cut_: Cut) -> Iterator[Floats]:
    """What each frame's light is multiplied with, (H, W, 3) BGR."""
    y, x = np.mgrid[-1.0 : 1.0 : HEIGHT_PX * 1j, -1.0 : 1.0 : WIDTH_PX * 1j].astype(np.float32)
    corners = 1 - 0.05 * (x**2 + y**2)
    settled = [int(event["settled"]) for event in cut_.events]
    flickers = {settled[visit] + after for visit, after in FLICKERS if visit < len(settled)}
    passes = [settled[visit] + after for visit, after in SHADOWS if visit < len(settled)]
    for index in range(len(cut_.frames)):
        turn = 2 * np.pi * index / len(cut_.frames)
        day = 1 + DAYLIGHT * np.sin(2 * turn) * np.array([1.25, 1.0, 0.8])  # daylight is bluer than the lamp
        light = corners * (1 - FLICKER_DEPTH if index in flickers else 1.0)
        for start in passes:
            if 0 <= index - start < SHADOW_FRAMES:
                light = light * _shadow(x, y, (index - start) / SHADOW_FRAMES)
        yield (light[..., None] * day).astype(np.float32)


def _shadow(x: Floats, y: Floats, passed: float) -> Floats:
    """Somebody's soft shadow on its way across, `passed` from 0 to 1."""
    across = x + 0.35 * y - (passed * 5.2 - 2.6)
    return 1 - SHADOW_DEPTH * np.exp(-((across / 0.75) ** 2))


def encode(cut_: Cut, path: Path) -> None:
    """Writes the film as H.264."""
    size = f"{WIDTH_PX}x{HEIGHT_PX}"
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size]
    command += ["-r", str(RATE_HZ), "-i", "-", "-an", "-c:v", "libx264", "-preset", "slow", "-pix_fmt", "yuv420p"]
    command += ["-crf", str(CONSTANT_RATE_FACTOR), "-g", "48", "-bf", "0", "-movflags", "+faststart", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        shown, picture = None, None
        for each, light in zip(cut_.frames, lights(cut_), strict=True):
            if each != shown:
                shown, picture = each, compose(each)
            assert picture is not None
            encoder.stdin.write(np.clip(np.rint(picture * light), 0, 255).astype(np.uint8).tobytes())
    if encoder.returncode:
        raise SystemExit("ffmpeg failed: is it built with libx264?")


def write_truth(cut_: Cut, path: Path) -> None:
    """Writes the truth: what comes when, and where it lies."""
    moments = ("enters", "settled", "leaves", "gone")
    events = [event | {key: round(event[key] / RATE_HZ, 3) for key in moments} for event in cut_.events]
    seconds = round(len(cut_.frames) / RATE_HZ, 3)
    lines = ",\n  ".join(json.dumps(event) for event in events)
    path.write_text(f'{{"schema": 1, "seconds": {seconds}, "rate_hz": {RATE_HZ}, "events": [\n  {lines}\n]}}\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--order", nargs="*", default=[], metavar="NAME", help="these items; default: all, as listed")
    options = parser.parse_args()
    names = options.order or json.loads((options.work / "visits.json").read_text())
    film = cut(options.work, names)
    options.folder.mkdir(parents=True, exist_ok=True)
    encode(film, options.folder / "film.mp4")
    write_truth(film, options.folder / "film.json")
    size = (options.folder / "film.mp4").stat().st_size
    print(f"{options.folder}/film.mp4: {len(film.frames)} frames, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
