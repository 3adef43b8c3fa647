"""A camera as calibration looks through it: every picture, one after another, and its settings within reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Protocol

from calibration.scene.locking import MODULE_AUTOMATICS, USB_AUTOMATICS, Automatic, Controls
from edge.assembly.cameras import open_camera
from edge.cameras.base import Camera
from edge.cameras.csi import CsiSettings, CsiSource
from edge.cameras.live import Captured
from edge.cameras.usb import UsbDevice, UsbSettings, UsbSource
from edge.clock import Clock, PacedClock, ReplayClock, SystemClock
from edge.config.cameras import (
    CameraSection,
    CsiCameraSection,
    ReplayCameraSection,
    SimulatedCameraSection,
    UsbCameraSection,
)
from edge.errors import CameraLostError, StalledCameraError
from edge.messages import Frame

_TIMEOUT_S = 5.0
# So many damaged pictures in a row are a fault and not an accident.
_MOST_DAMAGED = 30


class Settable(Protocol):
    """An opened device whose settings are within reach; see `edge.cameras`."""

    def read(self) -> Captured | None: ...
    def control(self, name: str) -> float: ...
    def set_control(self, name: str, value: float) -> bool: ...


class Eyepiece(Protocol):
    """An open camera."""

    @property
    def controls(self) -> Controls | None:
        """Its settings; None for one that has none within reach."""
        ...

    def next_frame(self) -> Frame:
        """The next picture.

        Raises:
            CameraError: there is no more.
        """
        ...


class DeviceEyepiece:
    """A USB camera or a camera module read in this thread, so that its settings can be changed between two pictures."""

    def __init__(self, source: Settable, automatics: tuple[Automatic, ...], clock: Clock) -> None:
        self._source, self._clock = source, clock
        self.automatics = automatics
        self._sequence = 0

    @property
    def controls(self) -> Controls:
        return self

    def control(self, name: str) -> float:
        return self._source.control(name)

    def set_control(self, name: str, value: float) -> bool:
        return self._source.set_control(name, value)

    def next_frame(self) -> Frame:
        for _ in range(_MOST_DAMAGED):
            captured = self._source.read()
            if captured is not None:
                self._sequence += 1
                return Frame(self._sequence, self._clock.now_s() - captured.age_s, captured.image)
        raise StalledCameraError(f"{_MOST_DAMAGED} damaged pictures in a row: check the camera's cable and hub")


class PlainEyepiece:
    """Any other camera."""

    controls = None

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def next_frame(self) -> Frame:
        frame = self._camera.next_frame(_TIMEOUT_S)
        if frame is None:
            raise CameraLostError("the recording ended before calibration was done: give one with more pictures")
        return frame


@contextmanager
def open_eyepiece(section: CameraSection, controls: Mapping[str, float] | None = None) -> Iterator[Eyepiece]:
    """The camera that the configuration names, with `controls` instead of the configured ones where given.

    What is recorded or simulated is shown as fast as it can be, and the same each time.
    """
    if isinstance(section, UsbCameraSection | CsiCameraSection):
        chosen = {str(name): value for name, value in section.controls.items()} if controls is None else dict(controls)
        source, automatics = _device(section, chosen)
        with closing(source):
            yield DeviceEyepiece(source, automatics, SystemClock())
        return
    is_film = isinstance(section, ReplayCameraSection | SimulatedCameraSection)
    clock: PacedClock = ReplayClock() if is_film else SystemClock()
    with closing(open_camera(section, clock)) as camera:
        camera.open()
        yield PlainEyepiece(camera)


def _device(
    section: UsbCameraSection | CsiCameraSection, controls: dict[str, float]
) -> tuple[UsbSource | CsiSource, tuple[Automatic, ...]]:
    size_rate = (section.width_px, section.height_px, section.rate_hz)
    if isinstance(section, CsiCameraSection):
        return CsiSource(CsiSettings(section.index, *size_rate, controls=controls)), MODULE_AUTOMATICS
    return UsbDevice(UsbSettings(section.device, *size_rate, controls=controls)).open(), USB_AUTOMATICS
