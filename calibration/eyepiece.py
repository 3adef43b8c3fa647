"""A camera as calibration looks through it: every picture, one after another, and its settings within reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Protocol

from edge.assembly.cameras import open_camera
from edge.cameras.base import Camera
from edge.cameras.usb import UsbDevice, UsbSettings, UsbSource
from edge.clock import Clock, PacedClock, ReplayClock, SystemClock
from edge.config.cameras import CameraSection, ReplayCameraSection, SimulatedCameraSection, UsbCameraSection
from edge.errors import CameraLostError, StalledCameraError
from edge.messages import Frame

_TIMEOUT_S = 5.0
# So many damaged pictures in a row are a fault and not an accident.
_MOST_DAMAGED = 30


class Controls(Protocol):
    """The settings of a camera, by the names of `edge.cameras.usb.CONTROLS`."""

    def control(self, name: str) -> float:
        """What the driver holds now."""
        ...

    def set_control(self, name: str, value: float) -> bool:
        """Ask for a value; whether the driver then holds it."""
        ...


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


class UsbEyepiece:
    """A V4L2 camera read in this thread, so that its settings can be changed between two pictures."""

    def __init__(self, source: UsbSource, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._sequence = 0

    @property
    def controls(self) -> Controls:
        return self._source

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
    if isinstance(section, UsbCameraSection):
        chosen = {str(name): value for name, value in section.controls.items()} if controls is None else controls
        settings = UsbSettings(
            section.device, section.width_px, section.height_px, section.rate_hz, controls=dict(chosen)
        )
        with closing(UsbDevice(settings).open()) as source:
            yield UsbEyepiece(source, SystemClock())
        return
    is_film = isinstance(section, ReplayCameraSection | SimulatedCameraSection)
    clock: PacedClock = ReplayClock() if is_film else SystemClock()
    with closing(open_camera(section, clock)) as camera:
        camera.open()
        yield PlainEyepiece(camera)
