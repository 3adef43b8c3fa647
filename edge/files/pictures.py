"""A ring of item pictures on disk: for the owner's review and for training, small, bounded, and never in the way.

One JPEG an item, named by its decision's id and by how much it is worth keeping. When there is no more room,
the sure ones go first, then the unsure, then the unknown; what a person corrected stays longest.
"""

from __future__ import annotations

import errno
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

import cv2

from edge.errors import SorterError
from edge.messages import Decision, Image, Outcome, Sight
from edge.preprocess import crop, square_around
from edge.records import DecisionRecord, is_record_id, moment_of

_log = logging.getLogger(__name__)

# Twice the usual input: enough to look at and to train on.
_MAX_SIDE_PX = 640
_SUFFIX = ".jpg"
_MAX_WAITING = 4
# Items of which pictures are held until they are decided; one that is not seen for so long never will be.
_MAX_ITEMS = 16
_FORGOTTEN_AFTER_S = 5.0
# Below these an accepted item is one of which a person may think otherwise.
_SURE_CONFIDENCE, _SURE_MARGIN = 0.85, 0.5
# Of a day's bytes, for what is sure: the rest is for what teaches more.
_SURE_SHARE = 0.5
# Of the ring is emptied at once: to rank its thousands for each picture would take the loop's time.
_ROOM_SHARE = 0.01


class Worth(IntEnum):
    """How much a picture is worth keeping; the name is in the file's name."""

    SURE = 0
    UNSURE = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """`folder` holds at most `max_bytes`; `min_free_bytes` of its disk are left to others."""

    folder: Path
    max_bytes: int = 256 * 1024 * 1024
    max_bytes_a_day: int = 64 * 1024 * 1024
    min_free_bytes: int = 512 * 1024 * 1024
    jpeg_quality: int = 85


@dataclass(frozen=True, slots=True)
class _Kept:
    record_id: str
    worth: Worth
    num_bytes: int

    @property
    def name(self) -> str:
        return f"{self.record_id}.{self.worth.name.lower()}{_SUFFIX}"


class PictureReader:
    """Reads the ring, also while it is written. Any thread, any process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, record_id: str) -> bytes | None:
        """The JPEG of the item with this decision's id; None when it is not kept."""
        if not is_record_id(record_id):
            return None
        for worth in Worth:
            try:
                return (self._folder / _Kept(record_id, worth, 0).name).read_bytes() or None
            except OSError:
                continue
        return None

    def ids(self) -> Sequence[str]:
        """The ids of all items with a picture, newest first."""
        return sorted((record_id for _, record_id, _ in _found(self._folder)), reverse=True)


class PictureRing:
    """Looks on with the loop (`see`), and keeps each item's sharpest picture when it is decided (`tell`).

    Both are for the loop's thread and cost it one copy of a crop; compressing and writing are done on a
    thread of its own, and a picture that finds it busy is not kept. `corrected` gives the ids of the
    decisions that a person corrected; `on_picture` is given each JPEG that was made; `may_write` is asked
    for each, and what it refuses is not kept; `on_problem` is told why none can be kept, None when one can. All four
    are called from that thread.
    """

    def __init__(
        self,
        settings: PictureSettings,
        corrected: Callable[[], Collection[str]] = frozenset,
        on_picture: Callable[[bytes], None] = lambda _: None,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        may_write: Callable[[], bool] = lambda: True,
        on_problem: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._corrected = corrected
        self._on_picture = on_picture
        self._free_bytes = free_bytes
        self._may_write = may_write
        self._on_problem = on_problem
        self._sharpest: dict[int, tuple[float, Image]] = {}
        self._seen_s: dict[int, float] = {}
        self._waiting: queue.SimpleQueue[tuple[DecisionRecord, Image] | None] = queue.SimpleQueue()
        self._kept: list[_Kept] = []
        self._day = ""
        self._bytes_today = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin to keep pictures."""
        self._thread.start()

    def see(self, sight: Sight) -> None:
        """Take one tick."""
        if sight.item_id is None or sight.prediction is None:
            return
        self._forget(sight.item_id, sight.frame.captured_at_s)
        sharpness, held = sight.presence.sharpness, self._sharpest.get(sight.item_id)
        if held is not None and sharpness <= held[0]:
            return
        image = sight.frame.image
        if sight.box is not None:
            height, width = image.shape[:2]
            image = crop(image, square_around(sight.box, width, height))
        # A view would hold the whole frame in memory.
        self._sharpest[sight.item_id] = (sharpness, image.copy())

    def tell(self, record: DecisionRecord) -> None:
        """An item was decided. Never blocks."""
        self._seen_s.pop(record.decision.item_id, None)
        _, image = self._sharpest.pop(record.decision.item_id, (0.0, None))
        if image is None:
            return
        if self._waiting.qsize() >= _MAX_WAITING:
            _log.debug("no picture of decision %d: earlier ones are still being written", record.seq)
            return
        self._waiting.put((record, image))

    def _forget(self, seen: int, now_s: float) -> None:
        """What never came to rest is never decided, and its picture may be as large as a frame."""
        self._seen_s[seen] = now_s
        gone = [one for one, at_s in self._seen_s.items() if not now_s - _FORGOTTEN_AFTER_S <= at_s <= now_s]
        for item_id in {*gone, *sorted(self._seen_s)[:-_MAX_ITEMS]}:
            del self._seen_s[item_id]
            self._sharpest.pop(item_id, None)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write what waits and end; what a hanging disk holds up for longer is left behind."""
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.error("%s: a picture was not written within %.1f s", self._settings.folder, timeout_s)

    def _run(self) -> None:
        self._try(self._begin)
        while (picture := self._waiting.get()) is not None:
            self._try(partial(self._keep, *picture))

    def _try(self, task: Callable[[], None]) -> None:
        """A picture less is no reason to stop sorting: what fails is a problem until something goes well again."""
        problem = None
        try:
            task()
        except (SorterError, OSError) as error:
            # Not the file's name: the next picture's is another one, and the same trouble is told once.
            why = getattr(error, "strerror", None) or error
            problem = f"{self._settings.folder}: pictures cannot be kept: {why}"
        if problem is not None and problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem
        self._on_problem(problem)

    def _begin(self) -> None:
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self._settings.folder.glob("*.part"):
            unfinished.unlink()
        self._kept = _listed(self._settings.folder)

    def _keep(self, record: DecisionRecord, image: Image) -> None:
        worth = _worth(record.decision)
        jpeg = _jpeg(image, self._settings.jpeg_quality)
        self._on_picture(jpeg)
        # Again: somebody may have deleted it, or mounted the disk only now.
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        if not self._may_write() or not self._has_room(record, worth, len(jpeg)):
            return
        kept = _Kept(record.id, worth, len(jpeg))
        part = self._settings.folder / f"{kept.name}.part"
        part.write_bytes(jpeg)
        part.replace(self._settings.folder / kept.name)
        self._kept.append(kept)
        self._bytes_today += kept.num_bytes

    def _has_room(self, record: DecisionRecord, worth: Worth, num_bytes: int) -> bool:
        """Whether this picture may be written; makes room for it."""
        settings = self._settings
        day = record.ts[:10]
        if day != self._day:
            # After a restart the day's pictures are still there, as far as they did not make room.
            self._day = day
            todays = sum(kept.num_bytes for kept in self._kept if moment_of(kept.record_id).startswith(day))
            # A clock that has gone back may begin the same day anew at each boot, which would be spent for good.
            self._bytes_today = 0 if moment_of(record.id) > record.ts else todays
        share = _SURE_SHARE if worth is Worth.SURE else 1.0
        if self._bytes_today + num_bytes > share * settings.max_bytes_a_day:
            return False
        self._make_room(settings.max_bytes - num_bytes)
        if self._free_bytes(settings.folder) - num_bytes < settings.min_free_bytes:
            raise OSError(errno.ENOSPC, "the disk is nearly full")
        return True

    def _make_room(self, max_bytes: int) -> None:
        excess = sum(kept.num_bytes for kept in self._kept) - max_bytes
        if excess <= 0:
            return
        excess += int(_ROOM_SHARE * self._settings.max_bytes)
        corrected, gone = self._corrected(), set()
        for kept in sorted(self._kept, key=lambda one: (one.record_id in corrected, one.worth, one.record_id)):
            if excess <= 0:
                break
            (self._settings.folder / kept.name).unlink(missing_ok=True)
            gone.add(kept)
            excess -= kept.num_bytes
        self._kept = [kept for kept in self._kept if kept not in gone]


def _worth(decision: Decision) -> Worth:
    if decision.outcome is not Outcome.ACCEPTED:
        return Worth.UNKNOWN
    return Worth.SURE if is_sure(decision.confidence, decision.margin) else Worth.UNSURE


def is_sure(confidence: float, margin: float) -> bool:
    """Whether a person would hardly think otherwise of an accepted item."""
    return confidence >= _SURE_CONFIDENCE and margin >= _SURE_MARGIN


def _jpeg(image: Image, quality: int) -> bytes:
    scale = _MAX_SIDE_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    encoded = cv2.imencode(_SUFFIX, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return encoded.tobytes()


def _listed(folder: Path) -> list[_Kept]:
    """What the folder holds, oldest first, for the ring itself: nobody else deletes."""
    found = [_Kept(record_id, worth, path.stat().st_size) for path, record_id, worth in _found(folder)]
    return sorted(found, key=lambda kept: kept.record_id)


def _found(folder: Path) -> Iterator[tuple[Path, str, Worth]]:
    """The folder's pictures by their names; files that are not ours are left out."""
    for path in folder.glob(f"*{_SUFFIX}"):
        record_id, _, worth = path.name.removesuffix(_SUFFIX).partition(".")
        if is_record_id(record_id) and worth.upper() in Worth.__members__:
            yield path, record_id, Worth[worth.upper()]
