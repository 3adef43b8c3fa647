"""A camera that is opened again after every fault, and says what is wrong in the meantime."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Event, Lock, Thread
from types import MappingProxyType

from edge.cameras.base import Camera
from edge.cameras.live import LiveCamera, SettingsReport
from edge.clock import Clock
from edge.errors import (
    AccessDeniedError,
    BlackPictureError,
    CameraError,
    CameraLostError,
    DarkPictureError,
    FrozenPictureError,
    StaleFrameError,
    StalledCameraError,
    TryAgainError,
)
from edge.messages import Frame

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
# While it is opened it misses the light that comes on with a lid, and below one it is dark for most of its life.
_LONGEST_DARK_DELAY_S = 300.0
# Bins that lost one hub together must not come back together.
_JITTER = 0.2

# How often a camera in the dark is looked at, seconds.
_GLANCE_S = 0.2

# A camera without a frame for this long is stalled; one late frame is not. Longer than a stuck picture
# needs to be known for one, since none of its repeats is given.
_STALLED_AFTER_S = 1.5
# Webcams take up to a second to their first one, and whether that is dark or stuck shows later still.
_FIRST_PICTURE_S = 1.0

# Longer than a stuck or dark picture needs to show itself again after reopening, so that a fault that
# comes back at once is one fault and not many.
_PROVEN_AFTER_S = 2.0


class Fault(StrEnum):
    """What can be wrong with a camera."""

    UNPLUGGED = "unplugged"
    STALLED = "stalled"
    FROZEN = "frozen"
    BLACK = "black"
    TOO_DARK = "too_dark"
    BUSY = "busy"
    DENIED = "denied"


_FAULTS: Mapping[type[Exception], Fault] = MappingProxyType(
    {
        CameraLostError: Fault.UNPLUGGED,
        StalledCameraError: Fault.STALLED,
        FrozenPictureError: Fault.FROZEN,
        BlackPictureError: Fault.BLACK,
        DarkPictureError: Fault.TOO_DARK,
        TryAgainError: Fault.BUSY,
        AccessDeniedError: Fault.DENIED,
    }
)


# The device works, and stays open in the meantime: the first picture that is lit is given at once.
_DARKNESS = (Fault.BLACK, Fault.TOO_DARK)


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """How the camera does; `fault` is None while it works, `detail` is a sentence for the owner."""

    fault: Fault | None = None
    detail: str = ""
    since_s: float = 0.0


class _Opening:
    """A camera that is being opened, in a thread of its own. Nobody else touches the camera before that has ended."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._lock = Lock()
        self._has_ended = Event()
        self._is_given_up = False
        self._error: BaseException | None = None
        # A daemon: an opening that hangs must not keep the process from ending.
        Thread(target=self._run, name="camera-opener", daemon=True).start()

    def has_ended(self, timeout_s: float | None) -> bool:
        """Wait at most so long for it; None waits for the end."""
        return self._has_ended.wait(timeout_s)

    def check(self) -> None:
        """Raise what the camera raised, once it has ended."""
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """Close the camera, as soon as that can be done. Never blocks for longer than closing does."""
        with self._lock:
            self._is_given_up = True
            if self._has_ended.is_set():
                self._camera.close()

    def _run(self) -> None:
        try:
            self._camera.open()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks for frames
            self._error = error
        with self._lock:
            self._has_ended.set()
            if self._is_given_up:
                self._camera.close()


class ReopeningCamera:
    """A camera whose faults are mended by opening it again, with growing delays of 0.5 to 30 s, in the dark to 5 min.

    The first `open` raises as the camera's own does: a wrong setting must not look like a fault. One that `is_awaited`
    may come later, as a network camera that starts with its bin does: to be away is a fault then, too. Later,
    while there is a fault, `next_frame` waits as long as it may, 1.5 s at most, and raises it; every change of state
    is logged once and given to `on_change`, in the thread that asks for frames. It is opened in a thread of
    its own: a network camera takes seconds to answer, and a bin must be able to stop meanwhile.
    """

    def __init__(
        self,
        camera: Camera,
        clock: Clock,
        on_change: Callable[[CameraHealth], None] = lambda _: None,
        wait: Callable[[float], object] | None = None,
        seed: int | None = None,
        *,
        is_awaited: bool = False,
    ) -> None:
        self._camera = camera
        self._is_awaited = is_awaited
        self._clock = clock
        self._on_change = on_change
        self._is_closed = Event()
        self._wait = wait or self._is_closed.wait
        self._random = random.Random(seed)  # noqa: S311 - it spreads retries, it keeps no secret
        self._health = CameraHealth()
        self._num_tries = 0
        self._retry_at_s: float | None = None
        self._opening: _Opening | None = None
        self._last_frame_s = 0.0
        self._works_since_s: float | None = None

    @property
    def health(self) -> CameraHealth:
        """How the camera does now; may be read from any thread."""
        return self._health

    @property
    def report(self) -> SettingsReport | None:
        """The settings asked for and applied; None while closed, or where there are none."""
        return self._camera.report if isinstance(self._camera, LiveCamera) else None

    def open(self) -> None:
        self._is_closed.clear()
        self._opening = _Opening(self._camera)
        self._opening.has_ended(None)
        ended, self._opening = self._opening, None
        try:
            ended.check()
        except (CameraError, AccessDeniedError, TryAgainError) as error:
            if not self._is_awaited:
                raise
            self._fail(error)
        else:
            self._begin()
            self._change(CameraHealth(None, "", self._clock.now_s()))

    def next_frame(self, timeout_s: float) -> Frame | None:
        # However old a frame may be: between two of these waits the bin is commanded, and stopped.
        timeout_s = min(timeout_s, _STALLED_AFTER_S)
        if self._retry_at_s is not None:
            if self._is_in_the_dark(self._retry_at_s):
                self._wait(min(timeout_s, _GLANCE_S))
            else:
                self._reopen(timeout_s, self._retry_at_s)
        left_s = self._last_frame_s + _STALLED_AFTER_S - self._clock.now_s()
        try:
            frame = self._camera.next_frame(max(0.0, min(timeout_s, left_s)))
        except StaleFrameError as error:
            if left_s > timeout_s:
                raise
            stalled = StalledCameraError(
                f"no new picture from the camera for {_STALLED_AFTER_S:g} s: check its cable, or its network"
            )
            self._fail(stalled)
            raise stalled from error
        except CameraError as error:
            self._fail(error)
            raise
        if frame is not None:
            self._prove()
        return frame

    def close(self) -> None:
        self._is_closed.set()
        if self._opening is not None:
            self._opening.give_up()
        else:
            self._camera.close()

    def _begin(self) -> None:
        self._retry_at_s = None
        self._works_since_s = None
        self._last_frame_s = self._clock.now_s() + _FIRST_PICTURE_S

    def _is_in_the_dark(self, retry_at_s: float) -> bool:
        """Whether the camera is open, and not to be opened again yet."""
        return self._health.fault in _DARKNESS and self._clock.now_s() < retry_at_s

    def _reopen(self, timeout_s: float, retry_at_s: float) -> None:
        """Open the camera when it is time to; until it is open, raise what is wrong with it."""
        if self._opening is None:
            wait_s = retry_at_s - self._clock.now_s()
            if wait_s > timeout_s:
                self._wait(timeout_s)
                raise CameraLostError(self._health.detail)
            if wait_s > 0:
                self._wait(wait_s)
            log.debug("opening the camera again, try %d", self._num_tries)
            self._opening = _Opening(self._camera)
        if not self._opening.has_ended(timeout_s):
            raise CameraLostError(self._health.detail)
        ended, self._opening = self._opening, None
        try:
            ended.check()
        except (CameraError, AccessDeniedError, TryAgainError) as error:
            self._fail(error)
            raise CameraLostError(str(error)) from error
        self._begin()

    def _fail(self, error: Exception) -> None:
        now_s, fault = self._clock.now_s(), _FAULTS[type(error)]
        is_dark = fault in _DARKNESS
        if is_dark and self._health.fault in _DARKNESS and self._retry_at_s is not None:
            return  # black or too dark, it is the same night
        longest_s = _LONGEST_DARK_DELAY_S if is_dark else _LONGEST_DELAY_S
        delay_s = min(longest_s, _FIRST_DELAY_S * 2.0**self._num_tries)
        self._retry_at_s = now_s + delay_s * self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self._num_tries = min(self._num_tries + 1, 16)
        if fault == self._health.fault:
            log.debug("camera still %s: %s", fault, error)
        else:
            log.warning("camera %s: %s", fault, error)
            self._change(CameraHealth(fault, str(error), now_s))
        if not is_dark:
            # Last, because a read that hangs holds it up for some seconds.
            self._camera.close()

    def _prove(self) -> None:
        """A frame came: after some seconds of them the fault is over."""
        now_s = self._last_frame_s = self._clock.now_s()
        self._retry_at_s = None
        if self._health.fault is None:
            return
        if self._works_since_s is None:
            self._works_since_s = now_s
        if now_s - self._works_since_s >= _PROVEN_AFTER_S:
            log.warning("camera works again, it was %s for %.0f s", self._health.fault, now_s - self._health.since_s)
            self._num_tries = 0
            self._change(CameraHealth(None, "", now_s))

    def _change(self, health: CameraHealth) -> None:
        self._health = health
        self._on_change(health)
