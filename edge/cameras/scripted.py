"""A capture that plays a script, faults included: the stand-in for real devices in tests and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from threading import Event

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray


class Step(Enum):
    """What a scripted read does instead of giving a picture."""

    LOST = "the read fails at once, as after unplugging"
    DAMAGED = "a frame arrives that cannot be decoded"
    STUCK = "the read blocks until the capture is let go"


class ScriptedCapture:
    """An opened capture that gives `script` step by step and then fails like an unplugged one.

    A picture of the script is given as it is: BGR, YUYV or JPEG bytes, as the driver played would.
    `applied` is what the driver makes of a property that is set, `refused` names those that it does not
    know; others are kept as asked for.
    `on_grab` is called at each read, for instance to move a clock. `let_go` ends all stuck reads.
    """

    def __init__(
        self,
        script: Iterable[NDArray[np.uint8] | Step],
        *,
        rate_hz: float = 30.0,
        times_ms: Sequence[float] = (),
        applied: Mapping[int, float] | None = None,
        refused: Collection[int] = (),
        on_grab: Callable[[], None] = lambda: None,
    ) -> None:
        self._script = iter(script)
        self._times_ms = times_ms
        self._applied = dict(applied or {})
        self._properties: dict[int, float] = {cv2.CAP_PROP_FPS: rate_hz} | self._applied
        self._refused = frozenset(refused)
        self._on_grab = on_grab
        self._num_grabbed = 0
        self._grabbed: NDArray[np.uint8] | Step | None = None
        self._let_go = Event()
        self.is_released = False

    def grab(self) -> bool:
        self._on_grab()
        self._grabbed = next(self._script, Step.LOST)
        if self._grabbed is Step.STUCK:
            self._let_go.wait()
            return False
        if self._grabbed is Step.LOST:
            return False
        self._num_grabbed += 1
        return True

    def retrieve(self) -> tuple[bool, MatLike]:
        if isinstance(self._grabbed, np.ndarray):
            return True, self._grabbed
        return False, np.empty((0, 0, 3), dtype=np.uint8)

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC and self._num_grabbed <= len(self._times_ms):
            return self._times_ms[self._num_grabbed - 1]
        return self._properties.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        if prop in self._refused:
            return False
        self._properties[prop] = self._applied.get(prop, value)
        return True

    def release(self) -> None:
        self.is_released = True

    def let_go(self) -> None:
        """End the reads that are stuck, now and later."""
        self._let_go.set()
