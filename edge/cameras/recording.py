"""What a camera saw, kept to be replayed: frames, times and settings in one folder.

    recording.json   the schema below, written first
    frames.jsonl     one line a frame, in order: {"file": "frames/000000.png", "t_s": 0.0}
    frames/          the pictures: PNG, the same to the bit, or JPEG where a quality was given

A line follows its picture, so a recording that was cut off is whole up to there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Literal, TextIO

import cv2
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from edge.cameras.base import Camera
from edge.cameras.captures import frozen
from edge.cameras.film import Still
from edge.cameras.live import CaptureSettings, SettingsReport
from edge.clock import Clock
from edge.errors import (
    AccessDeniedError,
    CameraError,
    CameraLostError,
    InvalidDataError,
    MissingInputError,
    PictureError,
    StorageError,
    UsageError,
    first_problem,
)
from edge.host.native import native_stderr_logged
from edge.messages import Frame
from edge.preprocess import load_picture

_log = logging.getLogger(__name__)

HEADER = "recording.json"
INDEX = "frames.jsonl"
PICTURES = "frames"

# PNG at its lowest compression takes half the time of the next level for 3 % more bytes.
_PNG_COMPRESSION = 1

# How long a recording waits for one frame at most before it looks at the clock, seconds.
_FRAME_TIMEOUT_S = 1.0


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordedSettings(_Record):
    """`CaptureSettings` as a file keeps them."""

    width_px: int
    height_px: int
    rate_hz: float
    fourcc: str = ""
    controls: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def of(cls, settings: CaptureSettings) -> RecordedSettings:
        """The same in the form of the file."""
        return cls(
            width_px=settings.width_px,
            height_px=settings.height_px,
            rate_hz=settings.rate_hz,
            fourcc=settings.fourcc,
            controls=dict(settings.controls),
        )


class RecordingHeader(_Record):
    """`recording.json`, schema 1. `started_at` is RFC 3339 UTC; frame times count from there."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    started_at: str
    camera: str
    jpeg_quality: int | None = Field(default=None, ge=1, le=100)
    requested: RecordedSettings | None = None
    applied: RecordedSettings | None = None

    @classmethod
    def of(
        cls, started_at: str, camera: str, report: SettingsReport | None, jpeg_quality: int | None = None
    ) -> RecordingHeader:
        """The header for a camera with its settings, where it has any."""
        return cls(
            started_at=started_at,
            camera=camera,
            jpeg_quality=jpeg_quality,
            requested=None if report is None else RecordedSettings.of(report.requested),
            applied=None if report is None else RecordedSettings.of(report.applied),
        )


class _RecordedFrame(_Record):
    file: Annotated[str, StringConstraints(pattern=rf"^{PICTURES}/[0-9]+\.(png|jpg)$")]
    t_s: float = Field(ge=0, allow_inf_nan=False)


def check_folder(folder: Path) -> None:
    """Refuse early what a recorder would refuse late.

    Raises:
        UsageError: the folder has something in it already.
        AccessDeniedError, StorageError: what is there is no folder of this user's.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: give a new folder for the recording")
    except OSError as error:
        raise _unwritable(folder, error) from error


class FrameRecorder:
    """Writes frames as they come; use it in a `with` block.

    Raises:
        UsageError: as `check_folder`.
        AccessDeniedError, StorageError: a file cannot be written.
    """

    def __init__(self, folder: Path, header: RecordingHeader) -> None:
        check_folder(folder)
        self._folder = folder
        self._quality = header.jpeg_quality
        self._began_s: float | None = None
        self.num_frames = 0
        try:
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)
            (folder / HEADER).write_text(header.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
            self._index: TextIO = (folder / INDEX).open("w", encoding="utf-8")
        except OSError as error:
            raise _unwritable(folder, error) from error

    def __enter__(self) -> FrameRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._index.close()

    def add(self, frame: Frame) -> None:
        """Keep a frame; its time counts from the first one.

        Raises:
            StorageError: it cannot be written.
        """
        self._began_s = frame.captured_at_s if self._began_s is None else self._began_s
        ending = "png" if self._quality is None else "jpg"
        name = f"{PICTURES}/{self.num_frames:06d}.{ending}"
        line = json.dumps({"file": name, "t_s": frame.captured_at_s - self._began_s})
        try:
            (self._folder / name).write_bytes(self._encoded(frame, ending))
            self._index.write(line + "\n")
            self._index.flush()
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        self.num_frames += 1

    def _encoded(self, frame: Frame, ending: str) -> bytes:
        options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_COMPRESSION]
        if self._quality is not None:
            options = [cv2.IMWRITE_JPEG_QUALITY, self._quality]
        _, encoded = cv2.imencode(f".{ending}", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), options)
        return encoded.tobytes()


def keep_frames(camera: Camera, recorder: FrameRecorder, clock: Clock, duration_s: float) -> None:
    """Record an open camera for `duration_s` from its first frame on, or until the source ends.

    A fault of the camera, which names it and mends it by itself, leaves a gap.

    Raises:
        CameraLostError: not one frame came in that time.
        StorageError: a frame cannot be written.
    """
    until_s = clock.now_s() + duration_s
    while True:
        try:
            frame = camera.next_frame(_FRAME_TIMEOUT_S)
        except CameraError:
            if clock.now_s() >= until_s:
                break
            continue
        if frame is not None and recorder.num_frames == 0:
            until_s = frame.captured_at_s + duration_s
        # By the frames' own times: a film that is kept slower than it plays is still kept whole.
        if frame is None or frame.captured_at_s >= until_s:
            break
        recorder.add(frame)
    if recorder.num_frames == 0:
        raise CameraLostError(f"not one picture from the camera in {duration_s:g} s: nothing was recorded")


def _unwritable(folder: Path, error: OSError) -> AccessDeniedError | StorageError:
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"{folder} may not be written by this user: choose another place")
    return StorageError(f"{folder} cannot be written: {error.strerror}")


def _is_whole(path: Path) -> bool:
    try:
        with native_stderr_logged():  # libpng tells of one that is cut off
            load_picture(path)
    except (MissingInputError, PictureError):
        return False
    return True


def _lost(num_pictures: int) -> str:
    return "picture is damaged or gone" if num_pictures == 1 else f"{num_pictures} pictures are damaged or gone"


class Recording:
    """A recording as a film: the same frames at the same times, gaps included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def header(self) -> RecordingHeader:
        """Which camera, when, and with what settings.

        Raises:
            MissingInputError: there is no recording.
            InvalidDataError: it is of another schema.
        """
        path = self._folder / HEADER
        if not path.is_file():
            raise MissingInputError(f"no {HEADER} in {self._folder}: expected a folder written by `sorter record`")
        try:
            return RecordingHeader.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise InvalidDataError(f"{path} is no recording of schema 1: {first_problem(error)}") from error

    def play(self) -> Generator[Still, None, None]:
        """Show the recording.

        Raises:
            MissingInputError: there is no recording, or one of its pictures is gone.
            InvalidDataError: it is of another schema, or a line or a picture is damaged.
        """
        self.header()
        frames = self._on_disk()
        if not frames:
            raise PictureError(f"the recording {self._folder} holds no frame: record it again")
        for recorded in frames:
            path = self._folder / recorded.file
            if not path.is_file():
                raise MissingInputError(f"no picture at {path}: copy the recording again, all of it")
            yield recorded.t_s, frozen(load_picture(path))

    def _on_disk(self) -> list[_RecordedFrame]:
        """The frames without the last ones whose pictures had not reached the disk, all of it, when the power went."""
        listed = list(self._read_index())
        frames = listed.copy()
        while frames and not _is_whole(self._folder / frames[-1].file):
            frames.pop()
        if len(frames) < len(listed):
            _log.warning("the recording %s ends early: its last %s", self._folder, _lost(len(listed) - len(frames)))
        return frames

    def _read_index(self) -> Iterator[_RecordedFrame]:
        path = self._folder / INDEX
        if not path.is_file():
            raise MissingInputError(f"no {INDEX} in {self._folder}: expected a folder written by `sorter record`")
        # What follows the last line end was being written when the power went.
        lines = path.read_bytes().rpartition(b"\n")[0].splitlines()
        last_s = -1.0
        for number, line in enumerate(lines, start=1):
            try:
                recorded = _RecordedFrame.model_validate_json(line)
            except ValidationError as error:
                raise InvalidDataError(
                    f"{path}:{number} is no frame of a recording: {first_problem(error, 'the line')}"
                ) from error
            if recorded.t_s <= last_s:
                raise InvalidDataError(f"{path}:{number}: {recorded.t_s} s does not come after {last_s} s")
            last_s = recorded.t_s
            yield recorded
