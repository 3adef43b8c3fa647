"""V4L2 cameras: what is asked and applied, what arrives, how each fault is named, and where a camera went."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.live import CaptureSettings
from edge.cameras.scripted import ScriptedCapture, Step
from edge.cameras.usb import UsbDevice, UsbSettings, UsbSource, usb_camera
from edge.cameras.v4l2 import KernelNodes, Node
from edge.clock import ReplayClock
from edge.errors import AccessDeniedError, CameraError, CameraLostError, StalledCameraError, TryAgainError
from edge.messages import Image

WEBCAM = Node("/dev/video0", "Brio", "usb-1.2")
OTHER = Node("/dev/video1", "Endoscope", "usb-1.3")
SMALL = UsbSettings(width_px=64, height_px=48)
MJPG = cv2.VideoWriter.fourcc(*"MJPG")
NOBODY = 65534  # the user that owns nothing, on every Debian
YUYV = cv2.VideoWriter.fourcc(*"YUYV")


class PluggedIn:
    """The cameras of an imagined machine; `faults` is what inspecting a path raises."""

    def __init__(self, *nodes: Node, faults: dict[str, CameraError | AccessDeniedError | TryAgainError] | None = None):
        self.nodes = list(nodes)
        self.faults = faults or {}

    def inspect(self, path: str) -> Node:
        if path in self.faults:
            raise self.faults[path]
        for node in self.nodes:
            if node.path == path:
                return node
        raise CameraLostError(f"no camera at {path}: is it plugged in?")

    def cameras(self) -> list[Node]:
        return self.nodes


def red(level: int = 200) -> Image:
    """BGR, as OpenCV gives it."""
    image = np.zeros((48, 64, 3), dtype=np.uint8)
    image[..., 2] = level
    return image


def jpeg(image: Image) -> Image:
    return np.asarray(cv2.imencode(".jpg", image)[1], dtype=np.uint8).reshape(1, -1)


def source(capture: ScriptedCapture, settings: UsbSettings = SMALL, monotonic_s: float = 0.0) -> UsbSource:
    return UsbSource(capture, WEBCAM, settings, PluggedIn(WEBCAM), monotonic_s=lambda: monotonic_s)


def opener(*captures: ScriptedCapture) -> Callable[[str], ScriptedCapture]:
    waiting = iter(captures)
    return lambda _path: next(waiting)


def test_a_driver_that_applies_everything_reports_no_difference() -> None:
    report = source(ScriptedCapture([])).report
    assert report.requested == report.applied == CaptureSettings(64, 48, 30.0, "MJPG")
    assert report.differences == ()


def test_what_the_driver_made_of_it_is_read_back_and_compared() -> None:
    applied = {
        cv2.CAP_PROP_FRAME_WIDTH: 640.0,
        cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
        cv2.CAP_PROP_FPS: 15.0,
        cv2.CAP_PROP_FOURCC: float(YUYV),
        cv2.CAP_PROP_EXPOSURE: 156.0,
    }
    settings = UsbSettings(controls={"auto_exposure": 1, "exposure": 150})
    report = source(ScriptedCapture([], applied=applied), settings).report
    assert report.applied == CaptureSettings(640, 480, 15.0, "YUYV", {"auto_exposure": 1, "exposure": 156})
    assert report.differences == (
        "asked for 1280x720, the driver gives 640x480: set camera.width_px and camera.height_px to it",
        "asked for 30 frames/s, the driver gives 15",
        "asked for MJPG, the driver gives YUYV: expect fewer frames/s",
        "asked for exposure = 150, the driver made 156 of it",
    )


def test_a_control_that_the_camera_lacks_is_named() -> None:
    capture = ScriptedCapture([], refused=(cv2.CAP_PROP_FOCUS,))
    report = source(capture, UsbSettings(controls={"focus": 30})).report
    assert report.differences == ("the camera has no focus, or refuses 30: leave it out",)


def test_29_97_is_30() -> None:
    assert source(ScriptedCapture([], applied={cv2.CAP_PROP_FPS: 30000 / 1001})).report.differences == ()


def test_mjpg_is_decoded_to_rgb() -> None:
    capture = ScriptedCapture([jpeg(red())])
    captured = source(capture).read()
    assert capture.get(cv2.CAP_PROP_CONVERT_RGB) == 0
    assert captured is not None
    assert captured.image.shape == (48, 64, 3)
    assert captured.image[0, 0, 0] > 190
    assert captured.image[0, 0, 2] < 30
    assert not captured.image.flags.writeable


def test_other_formats_are_left_to_opencv_and_turned_to_rgb() -> None:
    capture = ScriptedCapture([red()], applied={cv2.CAP_PROP_FOURCC: float(YUYV)})
    captured = source(capture).read()
    assert captured is not None
    assert tuple(captured.image[0, 0]) == (200, 0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        Step.DAMAGED,
        np.frombuffer(os.urandom(500), dtype=np.uint8).reshape(1, -1),
        np.empty((1, 0), dtype=np.uint8),
        jpeg(red())[:, :-100],
        jpeg(np.zeros((24, 32, 3), dtype=np.uint8)),
    ],
    ids=["undecodable", "noise", "empty", "cut", "another size"],
)
def test_a_damaged_frame_is_passed_over(damage: Image | Step) -> None:
    usb = source(ScriptedCapture([jpeg(red()), damage, jpeg(red(100))]))
    assert usb.read() is not None
    assert usb.read() is None
    assert usb.read() is not None


def test_a_jpeg_padded_with_zeros_is_whole() -> None:
    padded = np.concatenate([jpeg(red()), np.zeros((1, 64), dtype=np.uint8)], axis=1)
    assert source(ScriptedCapture([padded])).read() is not None


@pytest.mark.parametrize(("stamp_ms", "age_s"), [(99_900.0, 0.1), (100_020.0, 0.0), (0.0, 0.0), (1.7e12, 0.0)])
def test_the_age_is_that_of_the_drivers_timestamp_where_it_is_one(stamp_ms: float, age_s: float) -> None:
    captured = source(ScriptedCapture([jpeg(red())], times_ms=[stamp_ms]), monotonic_s=100.0).read()
    assert captured is not None
    assert captured.age_s == pytest.approx(age_s)


def test_a_camera_whose_node_is_gone_was_unplugged() -> None:
    usb = UsbSource(ScriptedCapture([]), WEBCAM, SMALL, PluggedIn())
    with pytest.raises(CameraLostError, match=r"/dev/video0 \(Brio\) went away"):
        usb.read()


def test_a_camera_that_is_there_and_gives_nothing_has_stalled() -> None:
    with pytest.raises(StalledCameraError, match="stopped giving pictures"):
        source(ScriptedCapture([Step.LOST])).read()
    held_by_us = PluggedIn(WEBCAM, faults={WEBCAM.path: TryAgainError("another program has it")})
    with pytest.raises(StalledCameraError, match="stopped giving pictures"):
        UsbSource(ScriptedCapture([]), WEBCAM, SMALL, held_by_us).read()


def test_closing_releases_the_device() -> None:
    capture = ScriptedCapture([])
    source(capture).close()
    assert capture.is_released


def test_a_number_stands_for_its_node() -> None:
    device = UsbDevice(UsbSettings(device="1"), PluggedIn(WEBCAM, OTHER), opener(ScriptedCapture([])))
    assert "video1" in str(device.open()._node.path)


def test_a_camera_that_is_not_there_is_reported_with_those_that_are() -> None:
    device = UsbDevice(UsbSettings(device="/dev/video7"), PluggedIn(WEBCAM, OTHER), opener())
    expected = r"no camera at /dev/video7.*cameras here: /dev/video0 \(Brio\), /dev/video1 \(Endoscope\)"
    with pytest.raises(CameraLostError, match=expected):
        device.open()


def test_a_camera_that_opencv_cannot_start_is_lost() -> None:
    device = UsbDevice(SMALL, PluggedIn(WEBCAM), lambda _: None)
    with pytest.raises(CameraLostError, match="does not start"):
        device.open()


@pytest.mark.parametrize("fault", [AccessDeniedError("may not"), TryAgainError("busy")])
def test_denied_and_busy_are_passed_on(fault: AccessDeniedError | TryAgainError) -> None:
    device = UsbDevice(SMALL, PluggedIn(WEBCAM, faults={"/dev/video0": fault}), opener())
    with pytest.raises(type(fault)):
        device.open()


@pytest.mark.parametrize(
    ("replugged", "found_at"),
    [
        ([Node("/dev/video1", "Brio", "usb-1.2")], "/dev/video1"),
        ([Node("/dev/video2", "Brio", "usb-1.4")], "/dev/video2"),
        ([Node("/dev/video0", "Endoscope", "usb-1.3"), Node("/dev/video1", "Brio", "usb-1.2")], "/dev/video1"),
        ([Node("/dev/video1", "Brio", "usb-1.4"), Node("/dev/video2", "Brio", "usb-1.2")], "/dev/video2"),
        ([Node("/dev/video0", "Brio", "usb-1.4")], "/dev/video0"),
    ],
    ids=["renumbered", "another port", "number taken by another", "two alike, same port", "same number, another port"],
)
def test_a_camera_is_found_again_under_another_number(replugged: list[Node], found_at: str) -> None:
    machine = PluggedIn(WEBCAM, OTHER)
    device = UsbDevice(SMALL, machine, opener(ScriptedCapture([]), ScriptedCapture([])))
    device.open()
    machine.nodes = replugged
    assert device.open()._node.path == found_at


@pytest.mark.parametrize(
    "left",
    [
        [],
        [Node("/dev/video0", "Endoscope", "usb-1.3")],
        [Node("/dev/video1", "Brio", "usb-1.4"), Node("/dev/video2", "Brio", "usb-1.5")],
    ],
    ids=["none", "only another", "two alike, none at its port"],
)
def test_another_camera_is_never_taken_for_it(left: list[Node]) -> None:
    machine = PluggedIn(WEBCAM)
    device = UsbDevice(SMALL, machine, opener(ScriptedCapture([]), ScriptedCapture([])))
    device.open()
    machine.nodes = left
    with pytest.raises(CameraLostError, match="cameras here"):
        device.open()


TWIN = Node("/dev/video2", "Brio", "usb-1.4")


def renumbered(node: Node, path: str) -> Node:
    return replace(node, path=path)


def test_two_alike_that_came_back_with_their_numbers_swapped_are_told_apart_by_their_ports() -> None:
    machine = PluggedIn(WEBCAM, TWIN)
    device = UsbDevice(SMALL, machine, opener(ScriptedCapture([]), ScriptedCapture([])))
    device.open()
    machine.nodes = [renumbered(TWIN, WEBCAM.path), renumbered(WEBCAM, TWIN.path)]
    machine.faults = {WEBCAM.path: TryAgainError("another program has its twin there")}
    assert device.open()._node == renumbered(WEBCAM, TWIN.path)


@pytest.mark.parametrize("path", [TWIN.path, WEBCAM.path], ids=["at its own number", "at the number of the lost one"])
def test_a_twin_that_was_there_before_is_never_taken_for_a_camera_that_is_gone(path: str) -> None:
    machine = PluggedIn(WEBCAM, TWIN)
    device = UsbDevice(SMALL, machine, opener(ScriptedCapture([]), ScriptedCapture([])))
    device.open()
    machine.nodes = [renumbered(TWIN, path)]
    with pytest.raises(CameraLostError, match=r"/dev/video0.*cameras here"):
        device.open()


def test_a_camera_that_another_program_took_while_it_was_away_is_busy() -> None:
    machine = PluggedIn(WEBCAM)
    device = UsbDevice(SMALL, machine, opener(ScriptedCapture([])))
    device.open()
    machine.nodes = [renumbered(WEBCAM, "/dev/video1")]
    machine.faults = {"/dev/video1": TryAgainError("busy")}
    with pytest.raises(TryAgainError):
        device.open()


def test_the_kernel_says_that_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(CameraLostError, match=r"no camera at .*video9: is it plugged in"):
        KernelNodes().inspect(str(tmp_path / "video9"))
    assert KernelNodes(tmp_path).cameras() == []


def test_a_file_that_is_no_camera_is_refused(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(CameraLostError, match="is no camera: expected a V4L2 device"):
        KernelNodes().inspect(str(tmp_path / "video0"))
    assert KernelNodes(tmp_path).cameras() == []


@contextmanager
def without_privileges() -> Iterator[None]:
    """As somebody who may not open everything; root puts its rights away for as long."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_node_without_permission_is_refused_with_the_remedy() -> None:
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "video0").touch(mode=0)
        with without_privileges(), pytest.raises(AccessDeniedError, match="usermod -aG video"):
            KernelNodes().inspect(f"{folder}/video0")


def test_a_usb_camera_without_its_device_does_not_open(tmp_path: Path) -> None:
    camera = usb_camera(UsbSettings(device=str(tmp_path / "video0")), ReplayClock())
    with pytest.raises(CameraLostError, match="no camera at"):
        camera.open()
