"""USB and other V4L2 cameras through OpenCV."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np
from cv2.typing import MatLike

from edge.cameras.captures import Capture, codec_of, open_v4l2, to_rgb
from edge.cameras.live import Captured, CaptureSettings, LiveCamera, SettingsReport, compare
from edge.cameras.v4l2 import KernelNodes, Node, Nodes
from edge.cameras.watch import WatchLimits
from edge.clock import Clock
from edge.errors import AccessDeniedError, CameraError, CameraLostError, StalledCameraError, TryAgainError

log = logging.getLogger(__name__)

# Controls that OpenCV can set on V4L2, in the units of the driver (`v4l2-ctl --list-ctrls` shows them).
CONTROLS: Mapping[str, int] = MappingProxyType(
    {
        "auto_exposure": cv2.CAP_PROP_AUTO_EXPOSURE,
        "exposure": cv2.CAP_PROP_EXPOSURE,
        "gain": cv2.CAP_PROP_GAIN,
        "auto_white_balance": cv2.CAP_PROP_AUTO_WB,
        "white_balance_k": cv2.CAP_PROP_WB_TEMPERATURE,
        "autofocus": cv2.CAP_PROP_AUTOFOCUS,
        "focus": cv2.CAP_PROP_FOCUS,
        "brightness": cv2.CAP_PROP_BRIGHTNESS,
        "contrast": cv2.CAP_PROP_CONTRAST,
        "saturation": cv2.CAP_PROP_SATURATION,
        "sharpness": cv2.CAP_PROP_SHARPNESS,
        "zoom": cv2.CAP_PROP_ZOOM,
    }
)

_MJPG = "MJPG"
_END_OF_IMAGE = b"\xff\xd9"

# A driver's timestamp further off than this is of another clock, or none.
_MAX_PLAUSIBLE_AGE_S = 10.0


@dataclass(frozen=True, slots=True)
class UsbSettings:
    """What is asked of the camera. `device` is a node, a link below /dev/v4l/by-id, or a number.

    `controls` are set in their order, so that automatics can be switched off before their value is set.
    """

    device: str = "/dev/video0"
    width_px: int = 1280
    height_px: int = 720
    rate_hz: float = 30.0
    fourcc: str = _MJPG
    controls: Mapping[str, float] = field(default_factory=dict)


def usb_camera(settings: UsbSettings, clock: Clock, max_age_s: float = 2.0) -> LiveCamera:
    """The camera at `settings.device`; opening it again finds it also under another number."""
    return LiveCamera(UsbDevice(settings).open, clock, max_age_s)


class UsbDevice:
    """One camera that can be opened again and again, and is known again when its number changed."""

    def __init__(
        self,
        settings: UsbSettings,
        nodes: Nodes | None = None,
        open_capture: Callable[[str], Capture | None] = open_v4l2,
    ) -> None:
        self._settings = settings
        self._path = f"/dev/video{settings.device}" if settings.device.isdecimal() else settings.device
        self._nodes = nodes or KernelNodes()
        self._open_capture = open_capture
        self._known: Node | None = None
        self._ports_of_others: frozenset[str] = frozenset()

    def open(self) -> UsbSource:
        """Start it with the settings.

        Raises:
            CameraLostError: it is not there, or does not start.
            AccessDeniedError: the user may not open it.
            TryAgainError: another program has it.
        """
        node = self._find()
        capture = self._open_capture(node.path)
        if capture is None:
            raise CameraLostError(f"{node.path} ({node.card}) does not start: unplug it and plug it in again")
        if self._known is not None and node.path != self._known.path:
            log.warning("the camera %s is now at %s, it was at %s", node.card, node.path, self._known.path)
        self._known = node
        self._ports_of_others = frozenset({other.bus for other in self._like(node)} - {node.bus})
        return UsbSource(capture, node, self._settings, self._nodes)

    def _find(self) -> Node:
        """Where the camera is: at its path, or, once it was known, wherever the same one turned up."""
        path = os.path.realpath(self._path)
        found = None if self._known is None else self._again(self._known, path)
        if found is not None:
            return self._nodes.inspect(found.path)
        try:
            node = self._nodes.inspect(path)
        except CameraLostError as error:
            raise self._lost(error) from error
        if self._known is None:
            return node
        raise self._lost(f"{self._path} is another camera now, {node.card}: it was {self._known.card}")

    def _again(self, known: Node, path: str) -> Node | None:
        """The same camera: at its port, whatever its number, else at one where none like it was before."""
        moved = [node for node in self._like(known) if node.bus not in self._ports_of_others]
        moved.sort(key=lambda node: node.path != path)
        at_path = [node for node in moved if node.path == path]
        at_port = [node for node in moved if node.bus == known.bus]
        return next(iter(at_port or at_path or moved[: len(moved) == 1]), None)

    def _like(self, node: Node) -> list[Node]:
        return [other for other in self._nodes.cameras() if other.card == node.card]

    def _lost(self, problem: object) -> CameraLostError:
        others = ", ".join(f"{node.path} ({node.card})" for node in self._nodes.cameras())
        return CameraLostError(f"{problem} (cameras here: {others or 'none'})")


class UsbSource:
    """An opened V4L2 camera.

    MJPG is taken as it comes and decoded here: OpenCV hands out the previous picture again, as a good
    one, when a JPEG is damaged.
    """

    limits = WatchLimits()

    def __init__(
        self,
        capture: Capture,
        node: Node,
        settings: UsbSettings,
        nodes: Nodes,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capture = capture
        self._node = node
        self._nodes = nodes
        self._monotonic_s = monotonic_s
        self.report = _apply(capture, settings)
        applied = self.report.applied
        self._shape = (applied.height_px, applied.width_px, 3)
        self._is_raw = applied.fourcc == _MJPG and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def read(self) -> Captured | None:
        if not self._capture.grab():
            raise self._fault()
        is_decoded, image = self._capture.retrieve()
        decoded = _decode(image) if self._is_raw and is_decoded else image
        if not is_decoded or decoded is None or decoded.shape != self._shape:
            return None
        return Captured(to_rgb(decoded), self._age_s())

    def close(self) -> None:
        self._capture.release()

    def control(self, name: str) -> float:
        """What the driver holds for one of CONTROLS now."""
        return self._capture.get(CONTROLS[name])

    def set_control(self, name: str, value: float) -> bool:
        """Ask the driver for it; whether it then holds this very value."""
        return self._capture.set(CONTROLS[name], value) and self.control(name) == value

    def _age_s(self) -> float:
        """How long ago the driver stamped the frame; it counts on the monotonic clock since Linux 3.11."""
        age_s = self._monotonic_s() - self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return age_s if 0 <= age_s < _MAX_PLAUSIBLE_AGE_S else 0.0

    def _fault(self) -> CameraError:
        """Why there was no frame: a camera that is still there is busy, since this process has it."""
        camera = f"{self._node.path} ({self._node.card})"
        try:
            self._nodes.inspect(self._node.path)
        except CameraLostError as error:
            return CameraLostError(f"the camera {camera} went away: {error}")
        except (AccessDeniedError, TryAgainError):
            pass
        return StalledCameraError(f"the camera {camera} stopped giving pictures: check its cable and its hub")


def _decode(encoded: MatLike) -> MatLike | None:
    """A JPEG's picture; None when its end is missing, of which OpenCV 4 makes grey pixels."""
    jpeg = np.asarray(encoded, dtype=np.uint8).reshape(-1)
    if not jpeg.tobytes().rstrip(b"\0").endswith(_END_OF_IMAGE):
        return None
    return cv2.imdecode(jpeg, cv2.IMREAD_COLOR)


def _apply(capture: Capture, settings: UsbSettings) -> SettingsReport:
    """Set everything, in the order in which V4L2 wants it: format, size, rate, controls."""
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
    capture.set(cv2.CAP_PROP_FPS, settings.rate_hz)
    requested = CaptureSettings(
        settings.width_px, settings.height_px, settings.rate_hz, settings.fourcc, settings.controls
    )
    refused = tuple(_apply_controls(capture, settings.controls))
    applied = CaptureSettings(
        round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        capture.get(cv2.CAP_PROP_FPS),
        codec_of(capture),
        {name: capture.get(CONTROLS[name]) for name in settings.controls},
    )
    differences = (*compare(requested, applied), *refused)
    return SettingsReport(requested, applied, differences)


def _apply_controls(capture: Capture, controls: Mapping[str, float]) -> Iterator[str]:
    for name, value in controls.items():
        if not capture.set(CONTROLS[name], value):
            yield f"the camera has no {name}, or refuses {value:g}: leave it out"
            continue
        found = capture.get(CONTROLS[name])
        if found != value:
            yield f"asked for {name} = {value:g}, the driver made {found:g} of it"
