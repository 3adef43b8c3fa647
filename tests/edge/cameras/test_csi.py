"""Camera modules: what is asked of picamera2, and how its failures are named. The module itself needs a Pi."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cameras.csi import CsiSettings, CsiSource, csi_camera
from edge.clock import ReplayClock
from edge.errors import CameraLostError, MissingLibraryError, StalledCameraError

SETTINGS = CsiSettings(width_px=64, height_px=48, rate_hz=12.0, controls={"ExposureTime": 8000})
BLUE_FIRST = (10, 20, 200)


class Request:
    """A finished frame: red, in the memory order of "RGB888"."""

    def __init__(self, stamp_ns: int | None = None) -> None:
        self._stamp_ns = stamp_ns
        self.is_released = False

    def make_array(self, name: str) -> NDArray[np.uint8]:
        assert name == "main"
        image = np.zeros((48, 64, 3), dtype=np.uint8)
        image[..., :] = BLUE_FIRST
        return image

    def get_metadata(self) -> Mapping[str, object]:
        return {} if self._stamp_ns is None else {"SensorTimestamp": self._stamp_ns}

    def release(self) -> None:
        self.is_released = True


class Module:
    """A camera module that keeps what it was told."""

    def __init__(self, steps: Iterable[Request | Exception] = (), applied: Mapping[str, object] | None = None) -> None:
        self._steps = iter(steps)
        self._applied = applied
        self.start_fails = False
        self.main: Mapping[str, object] = {}
        self.controls: Mapping[str, object] = {}
        self.calls: list[str] = []

    def create_video_configuration(
        self, main: Mapping[str, object], controls: Mapping[str, object], buffer_count: int
    ) -> object:
        assert buffer_count >= 2
        self.main, self.controls = main, controls
        return main

    def configure(self, camera_config: object) -> object:
        self.calls.append("configure")
        return camera_config

    def camera_configuration(self) -> Mapping[str, Mapping[str, object]]:
        return {"main": {**self.main, **(self._applied or {})}}

    def start(self) -> None:
        self.calls.append("start")
        if self.start_fails:
            raise RuntimeError("Camera __init__ sequence did not complete.")

    def capture_request(self, wait: float) -> Request:
        assert 0 < wait <= 2
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return step

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")


def source(module: Module, boot_s: float = 100.0) -> CsiSource:
    return CsiSource(SETTINGS, open_camera=lambda _: module, boot_s=lambda: boot_s)


def test_it_asks_for_size_rate_and_controls_in_the_format_that_is_bgr_in_memory() -> None:
    module = Module()
    report = source(module).report
    assert module.main == {"size": (64, 48), "format": "RGB888"}
    assert module.controls == {"FrameRate": 12.0, "ExposureTime": 8000}
    assert module.calls == ["configure", "start"]
    assert report.differences == ()


def test_frames_come_out_as_rgb_and_give_their_buffer_back() -> None:
    request = Request()
    captured = source(Module([request])).read()
    assert captured is not None
    assert tuple(captured.image[0, 0]) == BLUE_FIRST[::-1]
    assert not captured.image.flags.writeable
    assert request.is_released


@pytest.mark.parametrize(("stamp_ns", "age_s"), [(99_900_000_000, 0.1), (None, 0.0), (100_010_000_000, 0.0)])
def test_the_age_counts_from_the_sensor_on_the_boot_clock(stamp_ns: int | None, age_s: float) -> None:
    captured = source(Module([Request(stamp_ns)])).read()
    assert captured is not None
    assert captured.age_s == pytest.approx(age_s)


def test_a_size_that_libcamera_aligned_is_reported() -> None:
    report = source(Module(applied={"size": (64, 32)})).report
    assert report.applied.height_px == 32
    assert report.differences == (
        "asked for 64x48, the driver gives 64x32: set camera.width_px and camera.height_px to it",
    )


def test_another_format_is_refused_rather_than_shown_in_false_colors() -> None:
    module = Module(applied={"format": "XBGR8888"})
    with pytest.raises(CameraLostError, match="asked for RGB888 pictures, libcamera gives XBGR8888"):
        source(module)
    assert module.calls[-1] == "close"


def test_a_module_that_gives_nothing_has_stalled() -> None:
    with pytest.raises(StalledCameraError, match=r"gave nothing for 2 s: check its ribbon cable"):
        source(Module([TimeoutError()])).read()


def test_a_module_that_fails_is_lost() -> None:
    with pytest.raises(CameraLostError, match="camera frontend has timed out"):
        source(Module([RuntimeError("camera frontend has timed out")])).read()


def test_a_module_that_does_not_start_is_closed_again() -> None:
    module = Module()
    module.start_fails = True
    with pytest.raises(CameraLostError, match="does not start"):
        source(module)
    assert module.calls == ["configure", "start", "close"]


def test_closing_stops_it_first() -> None:
    module = Module()
    source(module).close()
    assert module.calls[-2:] == ["stop", "close"]


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_without_the_library_the_error_carries_the_line_that_installs_it() -> None:
    camera = csi_camera(CsiSettings(), ReplayClock())
    with pytest.raises(MissingLibraryError, match="sudo apt install python3-picamera2"):
        camera.open()
