"""Raspberry Pi camera modules through picamera2, which comes with the distribution and never from PyPI."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.cameras.captures import to_rgb
from edge.cameras.live import Captured, CaptureSettings, LiveCamera, SettingsReport, compare
from edge.cameras.watch import WatchLimits
from edge.clock import Clock
from edge.errors import CameraLostError, MissingLibraryError, StalledCameraError, TryAgainError

# picamera2 names formats by their order in a 32-bit word: its "RGB888" is B, G, R in memory, which is
# what OpenCV calls BGR (Picamera2 manual, appendix A).
_FORMAT = "RGB888"

# As V4L2's: a camera that gives nothing for so long has stalled; in seconds.
_READ_TIMEOUT_S = 2.0

# libcamera takes both at once; a site file and a configuration name one number each.
COLOUR_GAINS = ("ColourGainRed", "ColourGainBlue")
_PAIR = "ColourGains"

_INSTALL = "sudo apt install python3-picamera2, and make the environment with python -m venv --system-site-packages"

_SIZE_DIMENSIONS = 2


class CompletedRequest(Protocol):
    """A frame that libcamera has finished; it must be given back."""

    def make_array(self, name: str) -> NDArray[np.uint8]:
        """The picture of a stream, a copy."""
        ...

    def get_metadata(self) -> Mapping[str, object]:
        """What libcamera says of it; `SensorTimestamp` is in nanoseconds of the boot clock."""
        ...

    def release(self) -> None:
        """Give the buffer back."""
        ...


class PiCamera(Protocol):
    """The part of `picamera2.Picamera2` that is used here."""

    @property
    def camera_controls(self) -> Mapping[str, object]:
        """What this module lets be set, by libcamera's names."""
        ...

    def set_controls(self, controls: Mapping[str, object]) -> None: ...
    def create_video_configuration(
        self, main: Mapping[str, object], controls: Mapping[str, object], buffer_count: int
    ) -> object: ...
    def configure(self, camera_config: object) -> object: ...
    def camera_configuration(self) -> Mapping[str, Mapping[str, object]]: ...
    def start(self) -> None: ...
    def capture_request(self, wait: float) -> CompletedRequest: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CsiSettings:
    """What is asked of the camera. `index` counts as `rpicam-hello --list-cameras` does.

    `controls` are libcamera's own, such as {"ExposureTime": 8000, "AnalogueGain": 1.5}; fixing both
    switches the automatic exposure off. Its pair ColourGains goes by COLOUR_GAINS, a number each.
    """

    index: int = 0
    width_px: int = 1280
    height_px: int = 720
    rate_hz: float = 30.0
    controls: Mapping[str, float] = field(default_factory=dict)


def csi_camera(settings: CsiSettings, clock: Clock, max_age_s: float = 2.0) -> LiveCamera:
    """The camera module number `settings.index`."""
    return LiveCamera(lambda: CsiSource(settings), clock, max_age_s)


def open_picamera(index: int) -> PiCamera:
    """A camera module, not yet started.

    Raises:
        MissingLibraryError: picamera2 or libcamera is not installed.
        CameraLostError: there is no such module.
        TryAgainError: another program has it.
    """
    try:
        library = importlib.import_module("picamera2")
    except ImportError as error:
        raise MissingLibraryError(f"CSI cameras need picamera2 ({error}): {_INSTALL}") from error
    found: Sequence[Mapping[str, object]] = library.Picamera2.global_camera_info()
    if index >= len(found):
        names = ", ".join(str(info.get("Model", "?")) for info in found) or "none"
        raise CameraLostError(
            f"no CSI camera number {index} (found: {names}): check its ribbon cable, with the power off"
        )
    try:
        camera: PiCamera = library.Picamera2(index)
    except RuntimeError as error:
        raise TryAgainError(f"the CSI camera {index} does not open ({error}): does another program use it?") from error
    return camera


class CsiSource:
    """A started camera module.

    Raises:
        CameraLostError: it does not start.
    """

    limits = WatchLimits()

    def __init__(
        self,
        settings: CsiSettings,
        open_camera: Callable[[int], PiCamera] = open_picamera,
        boot_s: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._index = settings.index
        self._boot_s = boot_s
        self._camera = open_camera(settings.index)
        self._held = dict(settings.controls)
        try:
            self.report = _start(self._camera, settings)
        except RuntimeError as error:
            self._camera.close()
            raise CameraLostError(f"the CSI camera {self._index} does not start: {error}") from error

    def read(self) -> Captured | None:
        try:
            request = self._camera.capture_request(wait=_READ_TIMEOUT_S)
        except TimeoutError as error:
            raise StalledCameraError(
                f"the CSI camera {self._index} gave nothing for {_READ_TIMEOUT_S:g} s: check its ribbon cable"
            ) from error
        except RuntimeError as error:
            raise CameraLostError(f"the CSI camera {self._index} failed: {error}") from error
        try:
            metadata = request.get_metadata()
            self._held |= _told(metadata)
            return Captured(to_rgb(request.make_array("main")), self._age_s(metadata))
        finally:
            request.release()

    def close(self) -> None:
        self._camera.stop()
        self._camera.close()

    def control(self, name: str) -> float:
        """What the newest picture was taken with; of a switch, which no picture tells, what was last asked for."""
        return self._held.get(name, 0.0)

    def set_control(self, name: str, value: float) -> bool:
        """Ask for it; whether the module has it. What it makes of it comes with the pictures some frames later."""
        if (_PAIR if name in COLOUR_GAINS else name) not in self._camera.camera_controls:
            return False
        self._held[name] = value
        wanted = {each: self.control(each) for each in COLOUR_GAINS} if name in COLOUR_GAINS else {name: value}
        try:
            self._camera.set_controls(as_libcamera(wanted))
        except RuntimeError:
            return False
        return True

    def _age_s(self, metadata: Mapping[str, object]) -> float:
        stamp_ns = metadata.get("SensorTimestamp")
        return max(0.0, self._boot_s() - stamp_ns * 1e-9) if isinstance(stamp_ns, int) else 0.0


def as_libcamera(controls: Mapping[str, float]) -> dict[str, object]:
    """Controls as libcamera takes them: whole numbers as int, since its integers refuse a float; gains as a pair.

    >>> as_libcamera({"ExposureTime": 8000.0, "AnalogueGain": 1.5, "ColourGainRed": 2.0, "ColourGainBlue": 1.4})
    {'ExposureTime': 8000, 'AnalogueGain': 1.5, 'ColourGains': (2.0, 1.4)}
    """
    plain: dict[str, object] = {
        name: int(value) if float(value).is_integer() else value
        for name, value in controls.items()
        if name not in COLOUR_GAINS
    }
    if any(name in controls for name in COLOUR_GAINS):
        plain[_PAIR] = tuple(controls.get(name, 1.0) for name in COLOUR_GAINS)
    return plain


def _told(metadata: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a picture's metadata, by the names of its controls."""
    told = {name: float(value) for name, value in metadata.items() if isinstance(value, int | float)}
    gains = metadata.get(_PAIR)
    if isinstance(gains, tuple) and len(gains) == len(COLOUR_GAINS):
        told |= {name: float(gain) for name, gain in zip(COLOUR_GAINS, gains, strict=True)}
    return told


def _start(camera: PiCamera, settings: CsiSettings) -> SettingsReport:
    """Configure and start it; libcamera may align the size to what the hardware can do."""
    main = {"size": (settings.width_px, settings.height_px), "format": _FORMAT}
    controls = {"FrameRate": settings.rate_hz, **as_libcamera(settings.controls)}
    # Three buffers: one is filled, one waits, one is copied; more only age.
    camera.configure(camera.create_video_configuration(main=main, controls=controls, buffer_count=3))
    requested = CaptureSettings(settings.width_px, settings.height_px, settings.rate_hz, _FORMAT, settings.controls)
    found = camera.camera_configuration()["main"]
    size, name = found.get("size"), str(found.get("format"))
    width, height = size if isinstance(size, tuple) and len(size) == _SIZE_DIMENSIONS else (0, 0)
    if name != _FORMAT:
        raise RuntimeError(f"asked for {_FORMAT} pictures, libcamera gives {name}")
    camera.start()
    applied = CaptureSettings(width, height, settings.rate_hz, name)
    return SettingsReport(requested, applied, tuple(compare(requested, applied)))
