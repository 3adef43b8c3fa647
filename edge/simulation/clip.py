"""Simulated clips as files: photographs in, a video with its truth file out."""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
from pathlib import Path

import cv2

from edge.class_names import class_name
from edge.errors import MissingInputError, UsageError
from edge.files.whole_file import whole_file
from edge.host.native import native_stderr_logged
from edge.messages import Image
from edge.preprocess import PICTURE_SUFFIXES, load_picture
from edge.simulation.cutout import Cutout, cut_out
from edge.simulation.scene import Scene, Visit

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
# Telephones give more pixels than a bin's camera: they would cost memory, and time for each frame.
_LONGEST_SIDE_PX = 1280
_SHORTEST_SIDE_PX = 16


def load_cutouts(folder: Path, limit: int | None = None) -> list[Cutout]:
    """The items of `<folder>/<class>/*.jpg`, taken from all classes in turn; `limit` keeps the first.

    Raises:
        MissingInputError: the folder or its pictures are not there.
        PictureError: a picture cannot be decoded, or is too small to hold an item.
        UsageError: a folder's name cannot be that of a class.
    """
    if not folder.is_dir():
        raise MissingInputError(f"no folder of items at {folder}: expected <class>/*.jpg in it")
    folders = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    classes = [pictures for pictures in map(_pictures, folders) if pictures]
    turns = [path for turn in range(max(map(len, classes), default=0)) for c in classes for path in c[turn : turn + 1]]
    if not turns:
        raise MissingInputError(f"no pictures in the subfolders of {folder}: expected <class>/*.jpg in it")
    return [cut_out(_photograph(path), class_name(path.parent.name), str(path)) for path in turns[:limit]]


def load_grounds(path: Path) -> list[Image]:
    """The empty scenes at `path`: one picture, or every picture of a folder.

    Raises:
        MissingInputError: nothing is there.
        PictureError: a picture cannot be decoded.
    """
    if path.is_file():
        return [_photograph(path)]
    pictures = _pictures(path) if path.is_dir() else []
    if not pictures:
        raise MissingInputError(f"no background at {path}: expected a picture, or a folder with pictures")
    return [_photograph(picture) for picture in pictures]


def stage_size(ground: Image) -> tuple[int, int]:
    """Width and height of the clip before an empty scene: those of its picture, in even pixels as videos want them."""
    height, width = (max(_SHORTEST_SIDE_PX, side - side % 2) for side in ground.shape[:2])
    return width, height


def truth_of(scene: Scene, file_name: str) -> dict[str, object]:
    """The truth record of a scene, as its JSON file carries it."""
    plan = scene.plan
    return {
        "file": file_name,
        "fps": plan.rate_hz,
        "frames": int(scene.seconds * plan.rate_hz),
        "seconds": round(scene.seconds, 2),
        "size": [plan.width_px, plan.height_px],
        "seed": scene.seed,
        "built": "cut-out photographs on an empty scene; entry, rest, exit, hand, light and sensor are simulated",
        "events": [_event(scene, visit) for visit in scene.visits if visit.items],
    }


def check_clip(path: Path, *, should_replace: bool) -> None:
    """Refuse early what `write_clip` would refuse late.

    Raises:
        UsageError: the ending is neither .mp4 nor .avi, or the clip or its truth is there and must stay.
    """
    if path.suffix not in _CODECS:
        raise UsageError(f"{path}: expected a clip that ends in .mp4 or .avi")
    taken = next((one for one in (path, path.with_suffix(".json")) if one.exists()), None)
    if taken is not None and not should_replace:
        raise UsageError(f"{taken} exists already: choose another --out, or replace it with --force")


def write_clip(scene: Scene, path: Path, *, should_replace: bool = False) -> Path:
    """Write the scene as `path` (.mp4 or .avi) and its truth as `path` with .json; gives the latter.

    Raises:
        UsageError: as `check_clip`.
        AccessDeniedError, StorageError: a file cannot be written.
    """
    check_clip(path, should_replace=should_replace)
    truth = path.with_suffix(".json")
    with whole_file(path) as film:
        with native_stderr_logged():
            _film(scene, film)
        with whole_file(truth) as told:
            told.write_text(json.dumps(truth_of(scene, path.name), indent=1) + "\n", encoding="utf-8")
    return truth


def _film(scene: Scene, path: Path) -> None:
    """Write the pictures, and read back how many arrived: of a full disk the writer says nothing.

    Raises:
        OSError: the file cannot be opened, or not all of them fit.
    """
    path.touch()  # says why not, which the writer does not
    size = (scene.plan.width_px, scene.plan.height_px)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*_CODECS[path.suffix]), scene.plan.rate_hz, size)
    if not writer.isOpened():
        raise OSError(errno.EIO, f"this OpenCV writes no {path.suffix}")
    num_written = 0
    for frame in scene.frames():
        writer.write(frame.image[..., ::-1])
        num_written += 1
    writer.release()
    num_kept = max(0, int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)))
    if num_kept < num_written:
        raise OSError(errno.ENOSPC, f"{num_kept} of {num_written} frames arrived, is the disk full?")


def _event(scene: Scene, visit: Visit) -> dict[str, object]:
    box = scene.box_of(visit)
    labels = {item.label for item in visit.items}
    return {
        "label": labels.pop() if len(visit.items) == 1 else "multiple",
        "source": " + ".join(item.source for item in visit.items),
        "enters": round(visit.enters_s, 3),
        "settled": round(visit.settled_s, 3),
        "leaves": round(visit.leaves_s, 3),
        "gone": round(visit.gone_s, 3),
        "num_items": len(visit.items),
        "entry": str(visit.entry),
        "exit": str(visit.exit),
        "box": [box.x, box.y, box.width, box.height],
    }


def _photograph(path: Path) -> Image:
    image = load_picture(path)
    scale = _LONGEST_SIDE_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _pictures(folder: Path) -> Sequence[Path]:
    """The pictures in a folder, sorted, without hidden files: other systems leave their own beside each."""
    if not folder.is_dir():
        return []
    paths = (path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(path for path in paths if not path.is_dir() and not path.name.startswith("."))
