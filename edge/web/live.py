"""The live part: the newest picture with its item, and how the bin does. Pictures are made only when asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.journal import Entry, Filter
from edge.messages import Box, Phase, Sight
from edge.web.jpeg import JPEG_TYPE, small_jpeg
from edge.web.said import Said
from edge.web.window import Controls, SightSlot, Work
from edge.web.workers import Workers

# Calm on a phone, cheap on a Raspberry Pi.
LIVE_RATE_HZ = 8.0
_WIDTH_PX = 640
# Of the time, at most, is spent on pictures: where the processor is short they come less often, so that the loop
# does not; but at least this often.
_PICTURE_SHARE = 0.04
_SLOWEST_S = 2.0
# How long a request waits for a picture that it has not seen yet, and how many may wait. Longer than the slowest
# picture takes; shorter than anybody takes an old one for the present.
_PATIENCE_S = 4.0
_MAX_WATCHERS = 8
# How soon a request notices that all is over: within the second that the server gives at its end.
_NOTICE_S = 0.25

_NUM_DECISIONS = 30
_MAX_DECISIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class _LivePicture:
    """A JPEG of the newest frame, and the JSON that tells what is in it."""

    sequence: int
    jpeg: bytes
    told: str


class LiveFeed:
    """Makes each picture once, however many watch, and none when nobody does. For the event loop.

    Once `is_over`, nobody waits any longer.
    """

    def __init__(
        self,
        sights: SightSlot,
        labels: tuple[str, ...],
        workers: Workers,
        now_s: Callable[[], float],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._sights = sights
        self._labels = labels
        self._workers = workers
        self._now_s = now_s
        self._is_over = is_over
        self._making = asyncio.Lock()
        self._made: _LivePicture | None = None
        self._next_at_s = -1.0
        self.num_watchers = 0
        self.num_made = 0

    async def newer_than(self, sequence: int) -> _LivePicture | None:
        """The newest picture once it is another than `sequence`, and not of the past; None when none came in time."""
        if self.num_watchers >= _MAX_WATCHERS:
            raise HTTPException(503, f"{_MAX_WATCHERS} are watching already", {"Retry-After": "5"})
        self.num_watchers += 1
        try:
            deadline_s = self._now_s() + _PATIENCE_S
            while self._now_s() < deadline_s and not self._is_over():
                picture = await self._newest()
                if picture is not None and picture.sequence != sequence and not self._sights.is_past:
                    return picture
                # Asking is cheaper than being told: the loop shall not have to wake anybody.
                pause_s = max(0.5 / LIVE_RATE_HZ, self._next_at_s - self._now_s())
                await asyncio.sleep(min(pause_s, _NOTICE_S))
        finally:
            self.num_watchers -= 1
        return None

    async def _newest(self) -> _LivePicture | None:
        async with self._making:
            sight = self._sights.newest
            is_due = self._now_s() >= self._next_at_s
            has_news = self._made is None or (sight is not None and sight.frame.sequence != self._made.sequence)
            if sight is not None and is_due and has_news:
                began_s = self._now_s()
                told = json.dumps(tell(sight, self._sights.classified, self._labels), separators=(",", ":"))
                jpeg = await self._workers.do(small_jpeg, sight.frame.image, _WIDTH_PX)
                self._made = _LivePicture(sight.frame.sequence, jpeg, told)
                self.num_made += 1
                took_s = self._now_s() - began_s
                self._next_at_s = began_s + min(_SLOWEST_S, max(1 / LIVE_RATE_HZ, took_s / _PICTURE_SHARE))
            return self._made


def tell(sight: Sight, classified: Sight | None, labels: tuple[str, ...]) -> dict[str, object]:
    """What is in a sight: phase, the item's box as shares of the picture, and its newest scores."""
    height, width = sight.frame.image.shape[:2]
    scores: dict[str, float] = {}
    if sight.presence.phase is not Phase.EMPTY and classified is not None and classified.prediction is not None:
        pairs = zip(labels, map(float, classified.prediction.scores), strict=True)
        scores = {label: round(score, 3) for label, score in sorted(pairs, key=lambda pair: -pair[1])[:5]}
    return {
        "sequence": sight.frame.sequence,
        "phase": sight.presence.phase.value,
        "boxes": [_shares(box, width, height) for box in sight.presence.things or _boxes(sight.presence.box)],
        "box": None if sight.presence.box is None else _shares(sight.presence.box, width, height),
        "scores": scores,
    }


def _boxes(box: Box | None) -> tuple[Box, ...]:
    return () if box is None else (box,)


def _shares(box: Box, width_px: int, height_px: int) -> list[float]:
    shares = (box.x / width_px, box.y / height_px, box.width / width_px, box.height / height_px)
    return [round(share, 4) for share in shares]


class LivePart:
    """The addresses of the live part."""

    def __init__(self, work: Work, feed: LiveFeed, said: Said, workers: Workers) -> None:
        self._work = work
        self._feed = feed
        self._said = said
        self._workers = workers

    def routes(self) -> list[Route]:
        return [
            Route("/api/live.jpg", self._picture),
            Route("/api/now", self._now),
            Route("/api/decisions", self._decisions),
            Route("/api/pictures/{record_id:str}", self._item_picture),
        ]

    async def _picture(self, request: Request) -> Response:
        picture = await self._feed.newer_than(number(request, "after", -1))
        if picture is None:
            return Response(status_code=204)
        return Response(picture.jpeg, media_type=JPEG_TYPE, headers={"Sorter-Sight": picture.told})

    async def _now(self, request: Request) -> Response:
        return JSONResponse(
            await self._workers.do(self._state, number(request, "after", 0), number(request, "said", -1))
        )

    async def _decisions(self, request: Request) -> Response:
        limit = max(0, min(number(request, "limit", _NUM_DECISIONS), _MAX_DECISIONS))  # SQLite takes -1 for all
        before = number(request, "before", 0)
        return JSONResponse({"decisions": await self._workers.do(self._older, before, limit)})

    async def _item_picture(self, request: Request) -> Response:
        pictures = self._work.pictures
        record_id = request.path_params["record_id"].removesuffix(".jpg")
        is_id = record_id.isascii() and record_id.isalnum()
        jpeg = await self._workers.do(pictures.find, record_id) if pictures is not None and is_id else None
        if jpeg is None:
            raise HTTPException(404, "this picture was not kept")
        return Response(jpeg, media_type=JPEG_TYPE, headers={"Cache-Control": "private, max-age=86400"})

    def _state(self, after_seq: int, num_said: int) -> dict[str, object]:
        telemetry = self._work.telemetry
        num_by_now, words = self._said.after(num_said)
        newest = self._work.journal.decisions(limit=_NUM_DECISIONS, newest_first=True)
        # What a person said of one that the page shows already may have been said elsewhere.
        told = [entry for entry in newest if entry.seq > after_seq or entry.is_wrong or entry.corrected is not None]
        return {
            "began_s": self._work.tally.began_s,
            "phase": telemetry.phase.value,
            "num_frames": telemetry.num_frames,
            "counts": dict(self._work.journal.counts()),
            "problems": list(self._work.problems()),
            "controls": _as_they_stand(self._work.controls),
            "timings_ms": telemetry.percentiles_ms(),
            "decisions": [as_json(entry) for entry in told],
            "said": {"number": num_by_now, "words": [asdict(word) for word in words]},
        }

    def _older(self, before_seq: int, limit: int) -> list[dict[str, object]]:
        after_seq = max(0, before_seq - limit - 1)
        entries = self._work.journal.decisions(Filter(after_seq=after_seq), limit)
        return [as_json(entry) for entry in reversed(entries) if entry.seq < before_seq]


def _as_they_stand(controls: Controls | None) -> dict[str, bool | float] | None:
    if controls is None:
        return None
    return {"enabled": controls.is_enabled, "unknown_threshold": controls.unknown_threshold}


def as_json(entry: Entry) -> dict[str, object]:
    """A line of the journal as the page gets it: the decision's record, what became of it, what a person said of it."""
    record: dict[str, object] = json.loads(entry.record)
    return {**record, "problem": entry.problem, "corrected": entry.corrected, "is_wrong": entry.is_wrong}


def number(request: Request, name: str, otherwise: int) -> int:
    """A number from the address, within what SQLite can hold; anything else ends in 400."""
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise HTTPException(400, f"{name}: expected a number")
    return int(text)
