"""OpenCV's captures behind a seam that a scripted capture can stand in for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from cv2.typing import MatLike

from edge.messages import Image

# A camera that stops delivering blocks OpenCV for 10 s a read without this; in seconds. OpenCV reads it
# once, at its first V4L2 capture.
_SELECT_TIMEOUT = ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
# AV_LOG_QUIET: what FFmpeg says of a damaged file on stderr means nothing to an owner.
_FFMPEG_LOG_LEVEL = ("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used here; an opened one."""

    def grab(self) -> bool:
        """Wait for the next frame and take it; False when there is none."""
        ...

    def retrieve(self) -> tuple[bool, MatLike]:
        """Decode what was grabbed; False when it cannot be decoded."""
        ...

    def get(self, prop: int, /) -> float:
        """A property, 0 or -1 where it is unknown."""
        ...

    def set(self, prop: int, value: float, /) -> bool:
        """Ask for a property; True does not mean that it was applied."""
        ...

    def release(self) -> None:
        """Close it."""
        ...


def open_file(path: Path, num_threads: int = 0) -> Capture | None:
    """A video file, or None when FFmpeg cannot read it.

    Each of the decoder's threads holds frames of its own; 0 takes as many as the processor has.
    """
    return _open(str(path), cv2.CAP_FFMPEG, (cv2.CAP_PROP_N_THREADS, num_threads))


def open_v4l2(path: str) -> Capture | None:
    """A V4L2 device node, or None when it cannot be started. Blocks for at most some seconds."""
    return _open(path, cv2.CAP_V4L2, ())


def open_stream(url: str, open_timeout_s: float, read_timeout_s: float) -> Capture | None:
    """A network stream, or None when nothing answers within `open_timeout_s`.

    After a read that timed out every further read fails, also when the stream goes on: open it again.
    """
    timeouts = (
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        round(open_timeout_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        round(read_timeout_s * 1000),
    )
    return _open(url, cv2.CAP_FFMPEG, timeouts)


def codec_of(capture: Capture) -> str:
    """The four letters of the pixel format or codec on the wire, such as MJPG; empty where the driver does not say."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    return code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ") if code > 0 else ""


def to_rgb(image: MatLike) -> Image:
    """OpenCV's BGR as a new read-only (H, W, 3) uint8 RGB picture."""
    return frozen(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def frozen(image: MatLike) -> Image:
    """The same picture, read-only: frames are shared between threads."""
    rgb = np.asarray(image, dtype=np.uint8)
    rgb.setflags(write=False)
    return rgb


def _open(source: str, backend: int, parameters: Sequence[int]) -> Capture | None:
    for name, value in (_SELECT_TIMEOUT, _FFMPEG_LOG_LEVEL):
        os.environ.setdefault(name, value)
    capture = cv2.VideoCapture(source, backend, parameters)
    return capture if capture.isOpened() else None
