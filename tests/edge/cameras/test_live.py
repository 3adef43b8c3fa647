"""One reader, one slot: the newest frame, never a stale one, and faults that come through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from edge.cameras.live import Captured, CaptureSettings, LiveCamera, SettingsReport
from edge.cameras.watch import WatchLimits
from edge.clock import ReplayClock
from edge.errors import BlackPictureError, CameraLostError, FrozenPictureError, StaleFrameError, UnavailableError
from tests.edge.cameras.handover import Handover

SOON_S = 5.0  # A bound on waits that end as soon as the reader has run; it is never slept through.
AT_ONCE_S = 0.0


class Feed:
    """A source that reads what the test gives it, and blocks in between like a device."""

    limits = WatchLimits()
    asked = CaptureSettings(16, 16, 30.0, "MJPG")

    def __init__(self, *differences: str) -> None:
        self.report = SettingsReport(self.asked, self.asked, differences)
        self.is_closed = threading.Event()
        self._steps: Handover[Captured | Exception | None] = Handover()

    def give(self, *steps: Captured | Exception | None) -> None:
        """Let the reader read these, and wait until it is through with them."""
        assert not self.is_closed.is_set(), "the reader has ended"
        self._steps.give(*steps)

    def read(self) -> Captured | None:
        step = self._steps.take()
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self._steps.finish()
        self.is_closed.set()


def shot(level: int, age_s: float = 0.0) -> Captured:
    return Captured(np.full((16, 16, 3), level, dtype=np.uint8), age_s)


@contextmanager
def opened(feed: Feed, clock: ReplayClock | None = None, max_age_s: float = 2.0) -> Iterator[LiveCamera]:
    camera = LiveCamera(lambda: feed, clock or ReplayClock(), max_age_s)
    camera.open()
    try:
        yield camera
    finally:
        if not feed.is_closed.is_set():
            feed.give(CameraLostError("the test is over"))
        camera.close()
    assert feed.is_closed.is_set()
    assert not any(thread.name == "camera-reader" for thread in threading.enumerate())


def test_the_newest_frame_wins() -> None:
    feed = Feed()
    with opened(feed) as camera:
        feed.give(*(shot(level) for level in range(100, 105)))
        frame = camera.next_frame(AT_ONCE_S)
        assert frame is not None
        assert frame.image[0, 0, 0] == 104
        # The first picture after opening has none before it to differ from; three more were skipped.
        assert frame.sequence == 3


def test_a_frame_is_given_once() -> None:
    feed = Feed()
    with opened(feed) as camera:
        feed.give(shot(100), shot(101))
        assert camera.next_frame(AT_ONCE_S) is not None
        with pytest.raises(StaleFrameError, match="no new picture"):
            camera.next_frame(AT_ONCE_S)


def test_a_waiting_loop_gets_the_frame_as_it_arrives() -> None:
    feed = Feed()
    with opened(feed) as camera:
        feed.give(shot(100))
        threading.Thread(target=feed.give, args=(shot(101),)).start()
        frame = camera.next_frame(SOON_S)
        assert frame is not None
        assert frame.image[0, 0, 0] == 101


def test_frames_carry_the_time_when_the_sensor_took_them() -> None:
    feed, clock = Feed(), ReplayClock()
    clock.advance_to(10.0)
    with opened(feed, clock) as camera:
        feed.give(shot(100), shot(101, age_s=0.25))
        frame = camera.next_frame(AT_ONCE_S)
        assert frame is not None
        assert frame.captured_at_s == 9.75


def test_a_frame_that_grew_old_in_the_slot_is_not_given() -> None:
    feed, clock = Feed(), ReplayClock()
    with opened(feed, clock, max_age_s=0.5) as camera:
        feed.give(shot(100), shot(101))
        clock.advance_to(0.6)
        with pytest.raises(StaleFrameError):
            camera.next_frame(AT_ONCE_S)
        feed.give(shot(102))
        assert camera.next_frame(AT_ONCE_S) is not None


def test_pictures_that_were_old_when_they_arrived_are_not_given() -> None:
    feed, clock = Feed(), ReplayClock()
    clock.advance_to(10.0)
    with opened(feed, clock, max_age_s=0.5) as camera:
        feed.give(shot(100), shot(101, age_s=0.6))
        with pytest.raises(StaleFrameError):
            camera.next_frame(AT_ONCE_S)


def test_a_camera_that_hangs_in_the_dark_is_not_dark_for_ever() -> None:
    feed, clock = Feed(), ReplayClock()
    with opened(feed, clock) as camera:
        feed.give(shot(2))
        clock.advance_to(1.5)
        for level in (3, 4):
            feed.give(shot(level))
            with pytest.raises(BlackPictureError):
                camera.next_frame(AT_ONCE_S)
            clock.advance_to(clock.now_s() + 2.1)
            with pytest.raises(StaleFrameError):
                camera.next_frame(AT_ONCE_S)


def test_damaged_pictures_are_passed_over() -> None:
    feed = Feed()
    with opened(feed) as camera:
        feed.give(shot(100), None, None, shot(101))
        frame = camera.next_frame(AT_ONCE_S)
        assert frame is not None
        assert frame.image[0, 0, 0] == 101


def test_a_fault_ends_the_reader_and_is_raised_at_every_call_until_reopened() -> None:
    feed, again = Feed(), Feed()
    feeds = iter((feed, again))
    camera = LiveCamera(lambda: next(feeds), ReplayClock())
    camera.open()
    feed.give(shot(100), shot(101), CameraLostError("it was unplugged"))
    for _ in range(2):
        with pytest.raises(CameraLostError, match="it was unplugged"):
            camera.next_frame(AT_ONCE_S)
    assert feed.is_closed.is_set()
    camera.open()
    again.give(shot(100), shot(101))
    frame = camera.next_frame(AT_ONCE_S)
    assert frame is not None
    assert frame.sequence == 1  # counts on over the fault
    again.give(CameraLostError("the test is over"))
    camera.close()


def test_a_frozen_picture_is_a_fault_and_none_of_its_repeats_is_given() -> None:
    feed, clock = Feed(), ReplayClock()
    with opened(feed, clock) as camera:
        for index in range(4):
            clock.advance_to(index * 0.4)
            feed.give(shot(100))
        with pytest.raises(FrozenPictureError):
            camera.next_frame(AT_ONCE_S)


def test_a_mistake_in_the_reader_is_not_swallowed() -> None:
    feed = Feed()
    with opened(feed) as camera:
        feed.give(ZeroDivisionError("a bug"))
        with pytest.raises(ZeroDivisionError, match="a bug"):
            camera.next_frame(AT_ONCE_S)


def test_what_the_driver_changed_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    difference = "asked for 1280x720, the driver gives 640x480"
    feeds = [Feed(difference) for _ in range(3)]
    waiting = iter(feeds)
    camera = LiveCamera(lambda: next(waiting), ReplayClock())
    for feed in feeds:
        camera.open()
        assert camera.report is not None
        feed.give(CameraLostError("and again"))
    camera.close()
    assert caplog.text.count(difference) == 1


def test_a_closed_camera_says_so() -> None:
    camera = LiveCamera(Feed, ReplayClock())
    camera.close()
    assert camera.report is None
    with pytest.raises(UnavailableError, match="open it first"):
        camera.next_frame(AT_ONCE_S)


def test_a_camera_that_does_not_open_stays_closed() -> None:
    def refuse() -> Feed:
        raise CameraLostError("no camera")

    camera = LiveCamera(refuse, ReplayClock())
    with pytest.raises(CameraLostError):
        camera.open()
    camera.close()


def test_a_read_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    camera = LiveCamera(lambda: feed, ReplayClock(), close_timeout_s=0.01)
    camera.open()
    feed.give(shot(100))
    camera.close()
    assert "left behind" in caplog.text
    assert not feed.is_closed.is_set()
    feed.give(shot(101))
    assert feed.is_closed.wait(SOON_S)
