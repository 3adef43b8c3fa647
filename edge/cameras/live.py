"""A live camera: one reader thread and a slot for one frame, of which the newest wins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Event, Thread
from typing import Protocol

from edge.cameras.liveliness import Liveliness
from edge.cameras.watch import PictureWatch, WatchLimits
from edge.clock import Clock
from edge.errors import CameraError, DarkPictureError, StaleFrameError, UnavailableError
from edge.messages import Frame, Image

log = logging.getLogger(__name__)

# 29.97 Hz is what many drivers make of 30.
_RATE_TOLERANCE_HZ = 0.5

# A read of a stalled V4L2 camera comes back after 2 s; one that takes longer hangs in its driver.
_CLOSE_TIMEOUT_S = 3.0

# For so long a dark picture tells that it is dark: a read that hangs would not see the light come back.
_DARK_FOR_S = 1.5


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How pictures are taken; `fourcc` is the pixel format on the wire, such as MJPG.

    `controls` are exposure, gain and the like by the device's own names, those that were asked for.
    """

    width_px: int
    height_px: int
    rate_hz: float
    fourcc: str = ""
    controls: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettingsReport:
    """What was asked of a device beside what its driver really applied; `differences` are sentences."""

    requested: CaptureSettings
    applied: CaptureSettings
    differences: tuple[str, ...] = ()


def compare(requested: CaptureSettings, applied: CaptureSettings) -> Iterator[str]:
    """What the driver did not do as it was asked, a sentence each."""
    wanted_size = f"{requested.width_px}x{requested.height_px}"
    found_size = f"{applied.width_px}x{applied.height_px}"
    if wanted_size != found_size:
        yield f"asked for {wanted_size}, the driver gives {found_size}: set camera.width_px and camera.height_px to it"
    if abs(requested.rate_hz - applied.rate_hz) > _RATE_TOLERANCE_HZ:
        yield f"asked for {requested.rate_hz:g} frames/s, the driver gives {applied.rate_hz:g}"
    if requested.fourcc != applied.fourcc:
        yield f"asked for {requested.fourcc}, the driver gives {applied.fourcc}: expect fewer frames/s"


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A picture as it left the device, `age_s` after the sensor took it (0 where nothing tells)."""

    image: Image
    age_s: float = 0.0


class Source(Protocol):
    """An opened device. It is used, and at last closed, by the reader thread only."""

    @property
    def report(self) -> SettingsReport:
        """The settings asked for and applied."""
        ...

    @property
    def limits(self) -> WatchLimits:
        """What is a healthy picture from this kind of device."""
        ...

    def read(self) -> Captured | None:
        """Block until the next picture; None for one that arrived damaged.

        Raises:
            CameraError: the device gives no more pictures.
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...


class LiveCamera:
    """A device that `open_source` opens, read without pause so that the frame given is the newest.

    A frame older than `max_age_s` is never given, and neither is a picture that repeats the one before or is dark.
    After a fault every `next_frame` raises it, until the camera is opened again; darkness ends with the first picture
    that is lit.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        clock: Clock,
        max_age_s: float = 2.0,
        close_timeout_s: float = _CLOSE_TIMEOUT_S,
    ) -> None:
        self._open_source = open_source
        self._close_timeout_s = close_timeout_s
        self._clock = clock
        self._max_age_s = max_age_s
        self._sequence = count()
        self._liveliness = Liveliness()
        self._reader: _Reader | None = None
        self._told: tuple[str, ...] = ()

    @property
    def report(self) -> SettingsReport | None:
        """The settings of the open device; None while closed."""
        return None if self._reader is None else self._reader.report

    def open(self) -> None:
        self.close()
        source = self._open_source()
        self._tell(source.report)
        self._reader = _Reader(source, self._clock, self._sequence, PictureWatch(source.limits, self._liveliness))

    def _tell(self, report: SettingsReport) -> None:
        """Log what the driver changed, once and not at every reopening."""
        if report.differences != self._told:
            for difference in report.differences:
                log.warning("camera: %s", difference)
        self._told = report.differences

    def next_frame(self, timeout_s: float) -> Frame | None:
        if self._reader is None:
            raise UnavailableError("the camera is closed: open it first")
        return self._reader.take(timeout_s, self._max_age_s)

    def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop(self._close_timeout_s)


class _Reader:
    """The thread between a source and the slot; it starts at once and closes the source at its end."""

    def __init__(self, source: Source, clock: Clock, sequence: count[int], watch: PictureWatch) -> None:
        self._source = source
        self._clock = clock
        self._sequence = sequence
        self._watch = watch
        self._changed = Condition()
        self._slot: Frame | None = None
        self._problem: BaseException | None = None
        self._darkness: DarkPictureError | None = None
        self._dark_at_s = 0.0
        self._should_stop = Event()
        self.report = source.report
        # A daemon: a read that hangs in its driver must not keep the process from ending.
        self._thread = Thread(target=self._run, name="camera-reader", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float, max_age_s: float) -> Frame:
        """The frame in the slot, as soon as there is a fresh one."""
        with self._changed:
            self._changed.wait_for(lambda: self._fault() or self._age_s() <= max_age_s, timeout_s)
            if fault := self._fault():
                raise _again(fault)
            frame = self._slot
            if frame is None or self._age_s() > max_age_s:
                raise StaleFrameError(f"no new picture from the camera within {timeout_s:.1f} s: is it stalled?")
            self._slot = None
            return frame

    def stop(self, timeout_s: float) -> None:
        """End the thread; one that hangs longer is left behind, and closes the device when it can."""
        self._should_stop.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.warning("a read of the camera hangs for more than %g s: it is left behind", timeout_s)

    def _fault(self) -> BaseException | None:
        is_dark_now = self._clock.now_s() - self._dark_at_s <= _DARK_FOR_S
        return self._problem or (self._darkness if is_dark_now else None)

    def _age_s(self) -> float:
        """Age of the frame in the slot, infinite when it is empty."""
        return float("inf") if self._slot is None else self._clock.now_s() - self._slot.captured_at_s

    def _run(self) -> None:
        try:
            while not self._should_stop.is_set():
                self._read_one()
        except BaseException as problem:  # noqa: BLE001 - raised again in the thread that asks for frames
            with self._changed:
                self._problem = problem
                self._slot = None
                self._changed.notify_all()
        finally:
            self._source.close()

    def _read_one(self) -> None:
        captured = self._source.read()
        if captured is None:
            return
        at_s = self._clock.now_s() - captured.age_s
        try:
            if not self._watch.is_usable(captured.image, at_s):
                return
        except DarkPictureError as darkness:
            self._turn_dark(darkness)
            return
        frame = Frame(next(self._sequence), at_s, captured.image)
        with self._changed:
            self._slot, self._darkness = frame, None
            self._changed.notify_all()

    def _turn_dark(self, darkness: DarkPictureError) -> None:
        """The device works, so it is read on: nobody else would see the light come back."""
        with self._changed:
            self._slot, self._darkness, self._dark_at_s = None, darkness, self._clock.now_s()
            self._changed.notify_all()


def _again(problem: BaseException) -> BaseException:
    """The same fault for one more caller; raising one object twice would pile up its traceback."""
    if isinstance(problem, CameraError):
        again = type(problem)(*problem.args)
        again.__cause__ = problem.__cause__
        return again
    return problem
