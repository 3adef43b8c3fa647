"""Video files and folders of pictures as films."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import cv2

from edge.cameras.captures import Capture, frozen, open_file, to_rgb
from edge.cameras.film import Film, Still
from edge.cameras.recording import HEADER, Recording
from edge.errors import MissingInputError, PictureError, VideoError
from edge.messages import Image
from edge.preprocess import PICTURE_SUFFIXES, load_picture

log = logging.getLogger(__name__)

# For files that say nothing of their rate; what the simulated camera and the shared clips run at.
FALLBACK_RATE_HZ = 12.0

_WORDS = re.compile(r"(\D*)(\d*)")

# Containers guess their frame count, some from duration and rate, which says little where the rate varies: a file that
# ends this much short of it in frames and in time was cut.
_COMPLETE_SHARE = 0.9


def film_of(source: Path, rate_hz: float = FALLBACK_RATE_HZ, *, is_leisurely: bool = False) -> Film:
    """The film in a video file, a recording, or a folder of pictures (`rate_hz` is for the last).

    `is_leisurely` decodes a video on one thread: slower, in a third less memory.

    Raises:
        MissingInputError: there is nothing at `source`.
    """
    if not source.exists():
        raise MissingInputError(f"nothing at {source}: expected a video file, a recording, or a folder of pictures")
    if (source / HEADER).is_file():
        return Recording(source)
    if source.is_dir():
        return PictureFolder(source, rate_hz)
    return VideoFile(source, partial(open_file, num_threads=1) if is_leisurely else open_file)


class VideoFile:
    """Every frame of a file that FFmpeg reads, with the times that the file gives them."""

    def __init__(self, path: Path, open_capture: Callable[[Path], Capture | None] = open_file) -> None:
        self._path = path
        self._open_capture = open_capture

    def play(self) -> Generator[Still, None, None]:
        """Show the file.

        Raises:
            MissingInputError: there is no such file.
            VideoError: FFmpeg cannot read it, or it holds no frame.
        """
        capture = self._open()
        try:
            num_announced = _announced(capture)
            times = _Times(capture.get(cv2.CAP_PROP_FPS))
            num_shown = 0
            while capture.grab():
                image = _decode(capture)
                if image is not None:
                    num_shown += 1
                    yield times.after(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000), image
                # Not beside the next one, which is as large.
                del image
            self._check_end(num_shown, num_announced, times)
        finally:
            capture.release()

    def _open(self) -> Capture:
        if not self._path.is_file():
            raise MissingInputError(f"no video at {self._path}: expected a file such as clip.mp4")
        capture = self._open_capture(self._path)
        if capture is None:
            size = self._path.stat().st_size
            raise VideoError(f"{self._path} cannot be read as a video ({size} bytes): expected MP4, AVI, MKV or GIF")
        return capture

    def _check_end(self, num_shown: int, num_announced: int, times: _Times) -> None:
        if num_shown == 0:
            raise VideoError(f"{self._path} holds no frame that can be decoded: record it again")
        complete = _COMPLETE_SHARE * num_announced
        if num_shown < complete and times.num_periods < complete:
            log.warning("%s announces %d frames and ends after %d: is it whole?", self._path, num_announced, num_shown)


class PictureFolder:
    """The pictures below a folder in the order of their paths, at a fixed rate.

    A camera has one size, and what follows it learns one background: pictures of different sizes are
    refused when they come.
    """

    def __init__(self, folder: Path, rate_hz: float = FALLBACK_RATE_HZ) -> None:
        self._folder = folder
        self._rate_hz = rate_hz

    def play(self) -> Generator[Still, None, None]:
        """Show the folder.

        Raises:
            MissingInputError: there is no such folder.
            PictureError: it holds no picture, one that cannot be decoded, or one of another size.
        """
        paths = pictures_below(self._folder)
        first_shape: tuple[int, ...] | None = None
        for index, path in enumerate(paths):
            image = load_picture(path)
            first_shape = first_shape or image.shape
            if image.shape != first_shape:
                raise PictureError(
                    f"{path} is {_size(image.shape)}, but {paths[0].name} before it is {_size(first_shape)}:"
                    " a camera has one size, give pictures of one camera"
                )
            yield index / self._rate_hz, frozen(image)


def pictures_below(folder: Path) -> list[Path]:
    """The picture files in a folder and in its subfolders, in the order of their paths, hidden ones left out.

    Numbers in names count as such: 9.png comes before 10.png.

    Raises:
        MissingInputError: there is no such folder.
        PictureError: there is no picture in it.
    """
    if not folder.is_dir():
        raise MissingInputError(f"no folder at {folder}: expected a folder of pictures")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not paths:
        raise PictureError(f"no picture in {folder}: expected {', '.join(sorted(PICTURE_SUFFIXES))} files")
    return sorted(paths, key=lambda path: ([_by_number(part) for part in path.parts], path))


def _by_number(name: str) -> list[tuple[str, int]]:
    """What a name is sorted by: its words, each with the number that follows it."""
    return [(word, int(number or -1)) for word, number in _WORDS.findall(name)]


class _Times:
    """Times that only grow: the file's own where it has them, else counted at its rate.

    Some containers give every frame time 0, or repeat a time after an edit.
    """

    def __init__(self, rate_hz: float) -> None:
        is_known = math.isfinite(rate_hz) and rate_hz > 0
        self._period_s = 1.0 / (rate_hz if is_known else FALLBACK_RATE_HZ)
        self._last_s: float | None = None

    @property
    def num_periods(self) -> float:
        """How long the frames so far last, in periods of the file's rate."""
        return 0.0 if self._last_s is None else self._last_s / self._period_s + 1

    def after(self, stated_s: float) -> float:
        """The time of the next frame, of which the file says `stated_s`."""
        if self._last_s is None:
            self._last_s = max(0.0, stated_s) if math.isfinite(stated_s) else 0.0
        elif math.isfinite(stated_s) and stated_s > self._last_s:
            self._last_s = stated_s
        else:
            self._last_s += self._period_s
        return self._last_s


def _decode(capture: Capture) -> Image | None:
    is_decoded, image = capture.retrieve()
    return to_rgb(image) if is_decoded else None


def _announced(capture: Capture) -> int:
    """How many frames the file says it has; 0 where it does not say."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return round(count) if math.isfinite(count) and count > 0 else 0


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
