"""The live picture: made when somebody watches, once for all, and never at the loop's cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from starlette.exceptions import HTTPException

from edge.messages import Box, Frame, Phase, Presence, Sight
from edge.web.jpeg import small_jpeg
from edge.web.live import LIVE_RATE_HZ, LiveFeed, tell
from edge.web.window import SightSlot
from edge.web.workers import Workers
from tests.edge.web.standing import LABELS, StandingBin, Visitor, a_sight


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.close()


def test_nothing_is_made_while_nobody_watches_and_once_for_all_who_do(workers: Workers) -> None:
    sights = SightSlot()

    async def watch() -> None:
        feed = LiveFeed(sights, LABELS, workers, asyncio.get_running_loop().time)
        for sequence in range(100):
            sights.put(a_sight(sequence))
        assert feed.num_made == 0
        pictures = await asyncio.gather(*(feed.newer_than(-1) for _ in range(5)))
        assert {picture.sequence for picture in pictures if picture is not None} == {99}
        assert feed.num_made == 1
        assert feed.num_watchers == 0

    asyncio.run(watch())


def test_a_watcher_gets_no_more_than_the_live_rate(workers: Workers) -> None:
    sights = SightSlot()
    ticks = iter(np.arange(0, 1000, 0.01))  # a clock that a hundred questions move by a second

    async def watch() -> list[float]:
        times: list[float] = []

        def now_s() -> float:
            times.append(float(next(ticks)))
            sights.put(a_sight(len(times)))
            return times[-1]

        feed = LiveFeed(sights, LABELS, workers, now_s)
        drawn = []
        sequence = -1
        for _ in range(4):
            picture = await feed.newer_than(sequence)
            assert picture is not None
            sequence = picture.sequence
            drawn.append(times[-1])
        return drawn

    assert np.diff(asyncio.run(watch())).min() >= 1 / LIVE_RATE_HZ - 0.05  # a few questions of 0.01 s lie between


def test_whoever_waits_for_a_slow_picture_is_let_go_when_all_is_over(workers: Workers) -> None:
    sights = SightSlot()
    sights.put(a_sight(7))
    slow = iter(np.arange(0, 1000, 0.1))  # a clock by which each picture takes a tenth of a second
    is_over = threading.Event()

    async def watch() -> float:
        feed = LiveFeed(sights, LABELS, workers, lambda: float(next(slow)), is_over.is_set)
        assert await feed.newer_than(-1) is not None
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, is_over.set)
        began_s = loop.time()
        assert await feed.newer_than(7) is None
        return loop.time() - began_s

    assert asyncio.run(watch()) < 1.0, "the second that the server gives"


def test_only_so_many_may_watch(workers: Workers) -> None:
    async def watch() -> None:
        feed = LiveFeed(SightSlot(), LABELS, workers, asyncio.get_running_loop().time)
        waiting = [asyncio.create_task(feed.newer_than(-1)) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException, match="8 are watching"):
            await feed.newer_than(-1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert feed.num_watchers == 0

    asyncio.run(watch())


def test_boxes_are_told_as_shares_of_the_picture_and_scores_best_first() -> None:
    told = tell(a_sight(3, item_id=1), a_sight(2, item_id=1), LABELS)
    assert told["box"] == [0.25, 0.25, 0.5, 0.5]
    assert told["scores"] == {"metal": 0.8, "glass": 0.2}
    assert (told["sequence"], told["phase"]) == (3, "settled")


def test_an_empty_scene_tells_no_scores_of_the_item_that_left() -> None:
    assert tell(a_sight(3), a_sight(2, item_id=1), LABELS)["scores"] == {}


def test_every_thing_gets_its_box() -> None:
    things = (Box(0, 0, 16, 12), Box(80, 60, 16, 12))
    sight = Sight(Frame(1, 0.1, a_sight().frame.image), Presence(Phase.MANY, Box(0, 0, 96, 72), things=things))
    assert tell(sight, None, LABELS)["boxes"] == [[0.0, 0.0, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1]]


def test_a_large_frame_is_sent_small_and_keeps_its_shape_and_colors() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    image[..., 0] = 200
    decoded = cv2.imdecode(np.frombuffer(small_jpeg(image, 640), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    assert decoded.shape == (360, 640, 3)
    assert abs(decoded[..., 0].astype(int) - 200).max() < 5


def test_the_picture_comes_with_what_is_in_it(standing: StandingBin, visitor: Visitor) -> None:
    standing.see(a_sight(7, item_id=1))
    answer = visitor.ask("/api/live.jpg?after=6")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert '"sequence":7' in answer.headers["sorter-sight"]
    assert answer.body.startswith(b"\xff\xd8")


def test_a_picture_of_before_the_camera_was_taken_away_is_not_shown_as_the_present(
    standing: StandingBin, visitor: Visitor
) -> None:
    standing.see(a_sight(7, item_id=1))
    standing.now_s += 60.0
    assert visitor.ask("/api/live.jpg").status == 204
    standing.see(a_sight(8))
    assert '"sequence":8' in visitor.ask("/api/live.jpg").headers["sorter-sight"]


def test_decisions_are_told_from_the_newest_back_and_only_once(standing: StandingBin, visitor: Visitor) -> None:
    for _ in range(5):
        standing.decide()
    told = visitor.ask("/api/now?after=2").told
    assert [decision["seq"] for decision in told["decisions"]] == [5, 4, 3]
    assert told["counts"] == {"recycling": 5}
    assert told["phase"] == "settled"
    older = visitor.ask("/api/decisions?before=3&limit=1").told
    assert [decision["seq"] for decision in older["decisions"]] == [2]


def test_what_is_wrong_is_told(standing: StandingBin, visitor: Visitor) -> None:
    standing.problems.append("camera: unplugged")
    assert visitor.ask("/api/now").told["problems"] == ["camera: unplugged"]


def test_a_decision_has_its_items_picture(standing: StandingBin, visitor: Visitor) -> None:
    record = standing.decide()
    answer = visitor.ask(f"/api/pictures/{record.id}.jpg")
    assert (answer.status, answer.body) == (200, standing.pictures.find(record.id))
    assert visitor.ask("/api/pictures/0000000000000000000000000N.jpg").status == 404


@pytest.mark.parametrize("number", ["x", "1e9", "9" * 30, "%00", "1;DROP"])
def test_a_number_that_is_none_is_a_bad_request(visitor: Visitor, number: str) -> None:
    assert visitor.ask(f"/api/now?after={number}").status == 400
