"""Each fault of a webcam, from the driver to the owner: noticed within 2 s, named, told once, mended by reopening."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from enum import StrEnum, auto

import cv2
import numpy as np
import pytest

from edge.cameras.live import LiveCamera
from edge.cameras.recover import CameraHealth, Fault, ReopeningCamera
from edge.cameras.scripted import ScriptedCapture, Step
from edge.cameras.usb import UsbDevice, UsbSettings
from edge.cameras.v4l2 import Node
from edge.clock import ReplayClock
from edge.errors import CameraError, CameraLostError, TryAgainError
from edge.messages import Frame, Image
from tests.edge.cameras.handover import Handover

RATE_HZ = 30.0
NOTICED_WITHIN_S = 2.0
# The faults last 4 s: the longest delay before a try is then 4 s with its jitter, and a camera is proven 2 s later.
LASTS_S, BACK_WITHIN_S = 4.0, 8.0
BLACK, DIM, LIT = 4, 30, 150


class Mischief(StrEnum):
    """What happens to the webcam."""

    NONE = auto()
    UNPLUGGED = auto()
    REPLUGGED_ELSEWHERE = auto()
    TAKEN_BY_ANOTHER_PROGRAM = auto()
    SILENT = auto()
    HANGING = auto()
    DAMAGED = auto()
    REPEATING = auto()
    COVERED = auto()
    LAMP_OFF = auto()


class Opened(ScriptedCapture):
    """One opening of the webcam, whose reader takes a picture whenever it is told to."""

    def __init__(self, pictures: Iterator[Image | Step]) -> None:
        self._turns: Handover[None] = Handover()
        super().__init__(pictures, on_grab=self._turns.take)

    def read_one(self) -> None:
        """Let the reader take the next picture, and wait until it is through with it."""
        if not self.is_released:
            self._turns.give(None)

    def release(self) -> None:
        super().release()
        self._turns.finish()


class Webcam:
    """A camera at 30 Hz on the desk of somebody who is up to mischief; time passes by `tick`s only."""

    def __init__(self) -> None:
        self.clock = ReplayClock()
        self.mischief = Mischief.NONE
        self.openings: list[Opened] = []
        self._chance = np.random.default_rng(1)

    @property
    def node(self) -> Node:
        path = "/dev/video1" if self.mischief is Mischief.REPLUGGED_ELSEWHERE else "/dev/video0"
        return Node(path, "Brio", "usb-1.2")

    def inspect(self, path: str) -> Node:
        if self.mischief is Mischief.UNPLUGGED or path != self.node.path:
            raise CameraLostError(f"no camera at {path}")
        if self.mischief is Mischief.TAKEN_BY_ANOTHER_PROGRAM:
            raise TryAgainError(f"another program has the camera {path}")
        return self.node

    def cameras(self) -> list[Node]:
        return [] if self.mischief is Mischief.UNPLUGGED else [self.node]

    def open(self, _path: str) -> Opened:
        self.openings.append(Opened(self._pictures(self.node.path)))
        return self.openings[-1]

    def tick(self) -> None:
        self.clock.advance_to(self.clock.now_s() + 1 / RATE_HZ)
        if self.mischief is not Mischief.HANGING:
            self.openings[-1].read_one()

    def end(self) -> None:
        """Let every reader go, also those that hang."""
        self.mischief = Mischief.UNPLUGGED
        for opened in self.openings:
            opened.read_one()

    def _pictures(self, path: str) -> Iterator[Image | Step]:
        while True:
            yield self._picture() if path == self.node.path else Step.LOST

    def _picture(self) -> Image | Step:
        noise = self._chance.integers(-2, 3, (48, 64, 3))
        match self.mischief:
            case Mischief.UNPLUGGED | Mischief.SILENT | Mischief.TAKEN_BY_ANOTHER_PROGRAM:
                return Step.LOST
            case Mischief.DAMAGED:
                return Step.DAMAGED
            case Mischief.REPEATING:
                return _jpeg(np.full_like(noise, LIT))
            case Mischief.COVERED:
                return _jpeg(BLACK + noise)
            case Mischief.LAMP_OFF:
                return _jpeg(DIM + noise)
            case _:
                return _jpeg(LIT + noise)


def _jpeg(picture: np.ndarray) -> Image:
    return np.asarray(cv2.imencode(".jpg", picture.astype(np.uint8))[1], np.uint8).reshape(1, -1)


def wait_for_openings() -> None:
    """Let a camera that is being opened have ended: here time passes by ticks only."""
    for thread in threading.enumerate():
        if thread.name == "camera-opener":
            thread.join()


class Owner:
    """Looks through the camera as the loop does, and keeps what it is told of its health."""

    def __init__(self, webcam: Webcam) -> None:
        self.told: list[CameraHealth] = []
        self._webcam = webcam
        device = UsbDevice(UsbSettings(width_px=64, height_px=48), webcam, webcam.open)
        live = LiveCamera(device.open, webcam.clock, close_timeout_s=0.01)
        self.camera = ReopeningCamera(live, webcam.clock, self.told.append, wait=lambda _: None, seed=2)
        self.camera.open()

    def look(self, duration_s: float) -> list[Frame]:
        """The frames of so many seconds."""
        frames = []
        for _ in range(round(duration_s * RATE_HZ)):
            self._webcam.tick()
            try:
                frame = self.camera.next_frame(0.0)
            except CameraError:
                wait_for_openings()
                continue
            assert frame is not None
            frames.append(frame)
        return frames


@pytest.fixture
def webcam() -> Iterator[Webcam]:
    webcam = Webcam()
    yield webcam
    webcam.end()


@pytest.mark.parametrize(
    ("mischief", "named"),
    [
        (Mischief.UNPLUGGED, [Fault.UNPLUGGED]),
        (Mischief.REPLUGGED_ELSEWHERE, [Fault.UNPLUGGED]),
        (Mischief.TAKEN_BY_ANOTHER_PROGRAM, [Fault.STALLED, Fault.BUSY]),
        (Mischief.SILENT, [Fault.STALLED]),
        (Mischief.HANGING, [Fault.STALLED]),
        (Mischief.DAMAGED, [Fault.STALLED]),
        (Mischief.REPEATING, [Fault.FROZEN]),
        (Mischief.COVERED, [Fault.BLACK]),
        (Mischief.LAMP_OFF, [Fault.TOO_DARK]),
    ],
)
def test_each_fault_is_noticed_within_two_seconds_named_told_once_and_mended_by_reopening(
    mischief: Mischief, named: list[Fault], webcam: Webcam, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner(webcam)
    assert owner.look(1.0)
    webcam.mischief, began_s = mischief, webcam.clock.now_s()
    with caplog.at_level(logging.WARNING, "edge.cameras.recover"):
        during = owner.look(LASTS_S)
        if mischief is not Mischief.REPLUGGED_ELSEWHERE:
            assert owner.camera.health.fault is named[-1]
            assert not [frame for frame in during if frame.captured_at_s > began_s + NOTICED_WITHIN_S]
            webcam.mischief = Mischief.NONE
        after = owner.look(BACK_WITHIN_S)
    assert owner.told[1].since_s - began_s <= NOTICED_WITHIN_S
    assert [health.fault for health in owner.told] == [None, *named, None]
    assert after[-1].captured_at_s == pytest.approx(webcam.clock.now_s())
    assert len(webcam.openings) >= 2
    told = [record.message for record in caplog.records if record.name == "edge.cameras.recover"]
    assert [message.split()[1].rstrip(":") for message in told] == [*map(str, named), "works"]
    owner.camera.close()


@pytest.mark.parametrize(
    ("mischief", "named"), [(Mischief.UNPLUGGED, Fault.UNPLUGGED), (Mischief.HANGING, Fault.STALLED)]
)
def test_what_happens_to_a_camera_in_the_dark_is_noticed_as_soon(
    mischief: Mischief, named: Fault, webcam: Webcam
) -> None:
    owner = Owner(webcam)
    webcam.mischief = Mischief.COVERED
    owner.look(3.0)
    webcam.mischief, began_s = mischief, webcam.clock.now_s()
    owner.look(3.0)
    assert [health.fault for health in owner.told] == [None, Fault.BLACK, named]
    assert owner.told[-1].since_s - began_s <= NOTICED_WITHIN_S
    owner.camera.close()


def test_a_fault_that_lasts_is_tried_ever_more_rarely(webcam: Webcam) -> None:
    owner = Owner(webcam)
    webcam.mischief = Mischief.SILENT
    owner.look(120.0)
    assert [health.fault for health in owner.told] == [None, Fault.STALLED]
    assert len(webcam.openings) <= 1 + 5 + 120 / 30 + 1  # at once, then after 0.5, 1, 2, 4, 8, 16, 30, 30, 30 s
    owner.camera.close()


@pytest.mark.parametrize("mischief", [Mischief.COVERED, Mischief.LAMP_OFF])
def test_after_a_night_the_first_lit_pictures_are_given(mischief: Mischief, webcam: Webcam) -> None:
    owner = Owner(webcam)
    assert owner.look(1.0)
    webcam.mischief = mischief
    owner.look(120.0)
    num_openings, began_s = len(webcam.openings), webcam.clock.now_s()
    webcam.mischief = Mischief.NONE
    frames = owner.look(1.0)
    assert frames[0].captured_at_s - began_s < 0.5
    assert len(webcam.openings) == num_openings, "it is the device that saw the dark"
    owner.camera.close()
