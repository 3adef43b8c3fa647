"""Every fault is named, told once, and mended by opening the camera again with growing delays."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge.cameras.recover import CameraHealth, Fault, ReopeningCamera
from edge.clock import ReplayClock
from edge.errors import (
    AccessDeniedError,
    BlackPictureError,
    CameraError,
    CameraLostError,
    DarkPictureError,
    FrozenPictureError,
    MissingLibraryError,
    SorterError,
    StaleFrameError,
    StalledCameraError,
    TryAgainError,
)
from edge.messages import Frame

TIMEOUT_S = 1.0
PERIOD_S = 0.1
IMAGE = np.zeros((4, 4, 3), dtype=np.uint8)


class Moody:
    """A camera with a frame every 0.1 s, except while `mood` or `refusal` says otherwise."""

    def __init__(self, clock: ReplayClock) -> None:
        self.mood: CameraError | None = None
        self.refusal: SorterError | None = None
        self.is_open = False
        self.opened_at_s: list[float] = []
        self._clock = clock

    def open(self) -> None:
        self.opened_at_s.append(self._clock.now_s())
        if self.refusal is not None:
            raise self.refusal
        self.is_open = True

    def next_frame(self, timeout_s: float) -> Frame | None:
        assert self.is_open
        if self.mood is not None:
            if isinstance(self.mood, StaleFrameError):
                self._clock.advance_to(self._clock.now_s() + timeout_s)
            raise self.mood
        self._clock.advance_to(self._clock.now_s() + PERIOD_S)
        return Frame(0, self._clock.now_s(), IMAGE)

    def close(self) -> None:
        self.is_open = False


class Bench:
    """A moody camera under care, with its history."""

    def __init__(self, refusal: SorterError | None = None) -> None:
        self.clock = ReplayClock()
        self.inner = Moody(self.clock)
        self.inner.refusal = refusal
        self.history: list[CameraHealth] = []
        is_awaited = refusal is not None
        self.camera = ReopeningCamera(
            self.inner, self.clock, self.history.append, self._wait, seed=3, is_awaited=is_awaited
        )
        self.camera.open()

    def _wait(self, duration_s: float) -> None:
        self.clock.advance_to(self.clock.now_s() + duration_s)

    def run(self, duration_s: float) -> Iterator[Frame | CameraError | None]:
        """What the loop sees for so long."""
        until_s = self.clock.now_s() + duration_s
        while self.clock.now_s() < until_s:
            try:
                yield self.camera.next_frame(TIMEOUT_S)
            except CameraError as error:
                yield error

    def faults(self) -> list[Fault | None]:
        return [health.fault for health in self.history]


@pytest.mark.parametrize(
    ("mood", "fault"),
    [
        (CameraLostError("gone"), Fault.UNPLUGGED),
        (StalledCameraError("stopped"), Fault.STALLED),
        (StaleFrameError("nothing new"), Fault.STALLED),
        (FrozenPictureError("same"), Fault.FROZEN),
        (BlackPictureError("black"), Fault.BLACK),
        (DarkPictureError("dark"), Fault.TOO_DARK),
    ],
    ids=str,
)
def test_each_fault_is_named_once_and_mended(mood: CameraError, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    assert all(isinstance(seen, Frame) for seen in bench.run(1.0))
    bench.inner.mood = mood
    began_s = bench.clock.now_s()
    with caplog.at_level(logging.INFO):
        list(bench.run(60.0))
        found = bench.camera.health
        detail = "for 1.5 s: check its cable" if isinstance(mood, StaleFrameError) else str(mood)
        assert found.fault is fault
        assert detail in found.detail
        assert found.since_s - began_s <= 2.0
        bench.inner.mood = None
        list(bench.run(40.0))
    assert bench.camera.health.fault is None
    assert bench.faults() == [None, fault, None]
    assert len(caplog.records) == 2


def test_a_camera_that_comes_back_gives_frames_at_once_and_is_proven_later() -> None:
    bench = Bench()
    bench.inner.mood = CameraLostError("gone")
    list(bench.run(0.3))
    bench.inner.mood = None
    seen = list(bench.run(2.0))  # the second delay is 1 s
    assert isinstance(seen[-1], Frame)
    assert bench.camera.health.fault is Fault.UNPLUGGED
    list(bench.run(2.5))
    assert bench.camera.health.fault is None


def test_a_fault_that_comes_back_after_each_reopening_is_one_fault() -> None:
    bench = Bench()
    for _ in range(5):
        bench.inner.mood = FrozenPictureError("same")
        next(bench.run(1.0))
        bench.inner.mood = None
        while not isinstance(next(bench.run(60.0)), Frame):
            pass
        list(bench.run(1.4))  # as long as a frozen picture needs to show itself
    assert bench.faults() == [None, Fault.FROZEN]


def test_delays_grow_to_half_a_minute_with_jitter() -> None:
    bench = Bench()
    bench.inner.mood = bench.inner.refusal = CameraLostError("gone")
    list(bench.run(300.0))
    tries_s = bench.inner.opened_at_s[1:]
    gaps_s = np.diff(tries_s)
    assert tries_s[0] == pytest.approx(0.5, rel=0.2)
    for gap_s, expected_s in zip(gaps_s, [1, 2, 4, 8, 16, 30, 30, 30], strict=False):
        assert gap_s == pytest.approx(expected_s, rel=0.2)
    assert len({round(gap_s / expected_s, 6) for gap_s, expected_s in zip(gaps_s[5:], [30.0] * 9, strict=False)}) > 1


def test_delays_start_anew_once_the_camera_is_proven() -> None:
    bench = Bench()
    for _ in range(2):
        bench.inner.mood = CameraLostError("gone")
        list(bench.run(20.0))
        bench.inner.mood = None
        list(bench.run(40.0))
    assert bench.camera.health.fault is None
    bench.inner.mood = CameraLostError("gone")
    failed_at_s = bench.clock.now_s()
    num_before = len(bench.inner.opened_at_s)
    list(bench.run(2.0))
    assert bench.inner.opened_at_s[num_before] - failed_at_s == pytest.approx(0.5, rel=0.2)


def test_the_loop_is_never_held_longer_than_its_timeout() -> None:
    bench = Bench()
    bench.inner.mood = bench.inner.refusal = CameraLostError("gone")
    before_s = bench.clock.now_s()
    for seen in bench.run(200.0):
        assert isinstance(seen, CameraLostError)
        assert bench.clock.now_s() - before_s <= TIMEOUT_S + 1e-9
        before_s = bench.clock.now_s()


def test_one_late_frame_is_no_fault() -> None:
    bench = Bench()
    bench.inner.mood = StaleFrameError("late")
    assert isinstance(next(bench.run(1.0)), StaleFrameError)
    bench.inner.mood = None
    assert all(isinstance(seen, Frame) for seen in bench.run(5.0))
    assert bench.faults() == [None]


@pytest.mark.parametrize(
    ("refusal", "fault"), [(AccessDeniedError("may not"), Fault.DENIED), (TryAgainError("busy"), Fault.BUSY)]
)
def test_a_camera_that_returns_denied_or_busy_is_tried_on(refusal: SorterError, fault: Fault) -> None:
    bench = Bench()
    bench.inner.mood = CameraLostError("gone")
    bench.inner.refusal = refusal
    list(bench.run(10.0))
    assert bench.faults() == [None, Fault.UNPLUGGED, fault]
    bench.inner.mood = bench.inner.refusal = None
    list(bench.run(60.0))
    assert bench.camera.health.fault is None


@pytest.mark.parametrize("refusal", [CameraLostError("none"), AccessDeniedError("may not"), TryAgainError("busy")])
def test_the_first_opening_raises(refusal: SorterError) -> None:
    clock = ReplayClock()
    inner = Moody(clock)
    inner.refusal = refusal
    with pytest.raises(type(refusal)):
        ReopeningCamera(inner, clock).open()


@pytest.mark.parametrize("refusal", [CameraLostError("none"), AccessDeniedError("may not"), TryAgainError("busy")])
def test_a_camera_that_is_awaited_may_come_later_than_its_bin(refusal: SorterError) -> None:
    bench = Bench(refusal)
    assert all(isinstance(seen, CameraError) for seen in bench.run(10.0))
    bench.inner.refusal = None
    assert isinstance(list(bench.run(40.0))[-1], Frame)
    (away, well) = bench.history
    assert (away.detail, well.fault) == (str(refusal), None)


def test_what_is_no_fault_of_the_camera_is_not_mended() -> None:
    bench = Bench()
    bench.inner.mood = CameraLostError("gone")
    bench.inner.refusal = MissingLibraryError("not installed")
    with pytest.raises(MissingLibraryError):
        list(bench.run(10.0))


def test_the_end_of_a_film_passes_through() -> None:
    class Ended(Moody):
        def next_frame(self, timeout_s: float) -> Frame | None:  # noqa: ARG002 - it has ended
            return None

    clock = ReplayClock()
    camera = ReopeningCamera(Ended(clock), clock)
    camera.open()
    assert camera.next_frame(TIMEOUT_S) is None


def test_a_fault_closes_the_device_before_it_is_opened_again() -> None:
    bench = Bench()
    bench.inner.mood = FrozenPictureError("same")
    next(bench.run(1.0))
    assert not bench.inner.is_open
    bench.camera.close()
    assert not bench.inner.is_open


@pytest.mark.parametrize("mood", [BlackPictureError("black"), DarkPictureError("dark")], ids=str)
def test_light_that_comes_back_after_a_long_night_is_seen_at_once(mood: CameraError) -> None:
    """The camera was closed for up to 36 s at a time, and the first items of the day were lost."""
    bench = Bench()
    bench.inner.mood = mood
    list(bench.run(3600.0))
    gaps_s = np.diff(bench.inner.opened_at_s)
    assert gaps_s[0] < 2.0, "it may be the camera after all"
    assert gaps_s[-8:] == pytest.approx(300.0, rel=0.25)
    began_s, bench.inner.mood = bench.clock.now_s(), None
    first = next(seen for seen in bench.run(5.0) if isinstance(seen, Frame))
    assert first.captured_at_s - began_s < 0.5


def test_a_night_that_is_now_black_and_now_too_dark_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    with caplog.at_level(logging.INFO):
        for number in range(20):
            bench.inner.mood = BlackPictureError("black") if number % 2 else DarkPictureError("dark")
            list(bench.run(0.3))
    assert len(caplog.records) <= 4


class Drowsy(Moody):
    """A camera in the dark. Its first picture takes it most of a second, and its darkness must last to be known."""

    def next_frame(self, timeout_s: float) -> Frame | None:
        known_at_s = self.opened_at_s[-1] + 0.8 + 1.2
        asked_at_s = self._clock.now_s()
        self._clock.advance_to(min(known_at_s, asked_at_s + timeout_s))
        if self._clock.now_s() < known_at_s:
            raise StaleFrameError("nothing new")
        raise BlackPictureError("black")


def test_a_camera_that_is_slow_to_begin_is_dark_all_night_and_not_stalled() -> None:
    """Its bin would begin anew every two minutes, and ask its owner for another cable."""
    clock = ReplayClock()
    history: list[CameraHealth] = []
    inner = Drowsy(clock)
    camera = ReopeningCamera(inner, clock, history.append, lambda wait_s: clock.advance_to(clock.now_s() + wait_s), 3)
    camera.open()
    while clock.now_s() < 3600.0:
        with pytest.raises(CameraError):
            camera.next_frame(TIMEOUT_S)
    assert len(inner.opened_at_s) > 8
    assert [health.fault for health in history] == [None, Fault.BLACK]


class Slow(Moody):
    """A camera that takes as long to open again as a test says."""

    def __init__(self, clock: ReplayClock) -> None:
        super().__init__(clock)
        self.answers = threading.Event()
        self.answers.set()

    def open(self) -> None:
        super().open()
        assert self.answers.wait(60)

    def close(self) -> None:
        assert self.answers.is_set(), "it is being opened, by another thread"
        super().close()


@pytest.fixture
def slow() -> tuple[Slow, ReopeningCamera]:
    """A camera that went away and is being opened again, for long."""
    clock = ReplayClock()
    inner = Slow(clock)
    camera = ReopeningCamera(inner, clock, wait=lambda duration_s: clock.advance_to(clock.now_s() + duration_s), seed=3)
    camera.open()
    inner.mood = CameraLostError("gone")
    with pytest.raises(CameraLostError):
        camera.next_frame(TIMEOUT_S)
    inner.mood = None
    inner.answers.clear()
    return inner, camera


def test_nobody_waits_long_for_a_lost_camera_however_old_a_frame_may_be() -> None:
    """A bin with a slow camera must stop within seconds, too."""
    bench = Bench()
    bench.inner.mood = bench.inner.refusal = CameraLostError("unplugged")
    for _ in range(40):
        before_s = bench.clock.now_s()
        with pytest.raises(CameraError):
            bench.camera.next_frame(60.0)
        assert bench.clock.now_s() - before_s <= 1.5 + 1e-9


def test_while_it_is_being_opened_whoever_asks_waits_no_longer_than_said(slow: tuple[Slow, ReopeningCamera]) -> None:
    inner, camera = slow
    began_s = time.monotonic()
    for _ in range(5):
        with pytest.raises(CameraLostError, match="gone"):
            camera.next_frame(0.05 if inner.opened_at_s[1:] else TIMEOUT_S)
    assert time.monotonic() - began_s < TIMEOUT_S + 1.0
    assert len(inner.opened_at_s) == 2, "one opening at a time"
    inner.answers.set()
    assert camera.next_frame(60.0) is not None


def test_a_camera_that_is_closed_while_it_is_being_opened_is_closed_when_it_is_open(
    slow: tuple[Slow, ReopeningCamera],
) -> None:
    inner, camera = slow
    with pytest.raises(CameraLostError):
        camera.next_frame(TIMEOUT_S)
    camera.close()
    assert inner.is_open
    inner.answers.set()
    for thread in threading.enumerate():
        if thread.name == "camera-opener":
            thread.join()
    assert not inner.is_open
