"""Camera modules: what is asked of picamera2, and how its failures are named. The module itself needs a Pi."""

from __future__ import annotations

import importlib.util

import pytest

from edge.cameras.csi import CsiSettings, CsiSource, csi_camera
from edge.cameras.scripted_csi import ScriptedModule, ScriptedRequest
from edge.clock import ReplayClock
from edge.errors import CameraLostError, MissingLibraryError, StalledCameraError

SETTINGS = CsiSettings(width_px=64, height_px=48, rate_hz=12.0, controls={"ExposureTime": 8000})
BLUE_FIRST = (10, 20, 200)


def request(stamp_ns: int | None = None) -> ScriptedRequest:
    return ScriptedRequest((64, 48), BLUE_FIRST, {} if stamp_ns is None else {"SensorTimestamp": stamp_ns})


def source(module: ScriptedModule, boot_s: float = 100.0) -> CsiSource:
    return CsiSource(SETTINGS, open_camera=lambda _: module, boot_s=lambda: boot_s)


def test_it_asks_for_size_rate_and_controls_in_the_format_that_is_bgr_in_memory() -> None:
    module = ScriptedModule()
    report = source(module).report
    assert module.main == {"size": (64, 48), "format": "RGB888"}
    assert module.controls == {"FrameRate": 12.0, "ExposureTime": 8000}
    assert module.calls == ["configure", "start"]
    assert report.differences == ()


def test_frames_come_out_as_rgb_and_give_their_buffer_back() -> None:
    finished = request()
    captured = source(ScriptedModule([finished])).read()
    assert captured is not None
    assert tuple(captured.image[0, 0]) == BLUE_FIRST[::-1]
    assert not captured.image.flags.writeable
    assert finished.is_released


@pytest.mark.parametrize(("stamp_ns", "age_s"), [(99_900_000_000, 0.1), (None, 0.0), (100_010_000_000, 0.0)])
def test_the_age_counts_from_the_sensor_on_the_boot_clock(stamp_ns: int | None, age_s: float) -> None:
    captured = source(ScriptedModule([request(stamp_ns)])).read()
    assert captured is not None
    assert captured.age_s == pytest.approx(age_s)


def test_a_size_that_libcamera_aligned_is_reported() -> None:
    report = source(ScriptedModule(applied={"size": (64, 32)})).report
    assert report.applied.height_px == 32
    assert report.differences == (
        "asked for 64x48, the driver gives 64x32: set camera.width_px and camera.height_px to it",
    )


def test_another_format_is_refused_rather_than_shown_in_false_colors() -> None:
    module = ScriptedModule(applied={"format": "XBGR8888"})
    with pytest.raises(CameraLostError, match="asked for RGB888 pictures, libcamera gives XBGR8888"):
        source(module)
    assert module.calls[-1] == "close"


def test_a_module_that_gives_nothing_has_stalled() -> None:
    with pytest.raises(StalledCameraError, match=r"gave nothing for 2 s: check its ribbon cable"):
        source(ScriptedModule([TimeoutError()])).read()


def test_a_module_that_fails_is_lost() -> None:
    with pytest.raises(CameraLostError, match="camera frontend has timed out"):
        source(ScriptedModule([RuntimeError("camera frontend has timed out")])).read()


def test_a_module_that_does_not_start_is_closed_again() -> None:
    module = ScriptedModule(starts=False)
    with pytest.raises(CameraLostError, match="does not start"):
        source(module)
    assert module.calls == ["configure", "start", "close"]


def test_whole_numbers_go_as_integers_and_gains_as_a_pair() -> None:
    """libcamera's integers take no float, and it takes the gains of red and blue at once."""
    controls = {"AeEnable": 0.0, "ExposureTime": 8000.0, "AnalogueGain": 1.5, "ColourGainRed": 2.0}
    module = ScriptedModule()
    CsiSource(CsiSettings(controls=controls), open_camera=lambda _: module).close()
    exposure_time = module.controls["ExposureTime"]
    assert isinstance(exposure_time, int)
    assert module.controls["ColourGains"] == (2.0, 1.0)
    assert "ColourGainRed" not in module.controls


def test_what_a_picture_was_taken_with_is_what_the_module_holds() -> None:
    opened = source(ScriptedModule())
    assert opened.set_control("AeEnable", 0.0)
    assert opened.set_control("ExposureTime", 5013.0)
    opened.read()
    # The sensor counts lines of 20 microseconds.
    assert opened.control("ExposureTime") == 5020.0
    assert not opened.set_control("Zoom", 2.0)


def test_closing_stops_it_first() -> None:
    module = ScriptedModule()
    source(module).close()
    assert module.calls[-2:] == ["stop", "close"]


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_without_the_library_the_error_carries_the_line_that_installs_it() -> None:
    camera = csi_camera(CsiSettings(), ReplayClock())
    with pytest.raises(MissingLibraryError, match="sudo apt install python3-picamera2"):
        camera.open()
