"""Network cameras: RTSP and MJPEG over HTTP, through FFmpeg."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import cv2

from edge.addresses import without_secrets
from edge.cameras.captures import Capture, codec_of, open_stream, to_rgb
from edge.cameras.live import Captured, CaptureSettings, LiveCamera, SettingsReport
from edge.cameras.watch import WatchLimits
from edge.clock import Clock
from edge.errors import CameraLostError, ConfigError, StalledCameraError

SCHEMES = ("rtsp", "rtsps", "http", "https")

# In FFmpeg's own form; TCP, because over UDP a lost packet smears the picture until the next key frame. Nothing can be
# shown before a key frame, which many cameras send every few seconds only: it is looked for a little shorter than the
# time-out of opening, microseconds.
_OPTIONS = ("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|analyzeduration;7500000")

# Codecs that send each picture whole. The others can repeat a picture to the bit where nothing moves, and
# only a longer repeat tells that the camera is stuck, or pictures that were livelier before.
_INTRA_CODECS = frozenset({"MJPG", "mjpg"})
_INTER_LIMITS = WatchLimits(frozen_after_s=10.0, hands_out_repeats=True)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Where the camera streams; `url` may carry user and password, which are never logged."""

    url: str
    open_timeout_s: float = 8.0
    read_timeout_s: float = 2.0


def stream_camera(settings: StreamSettings, clock: Clock, max_age_s: float = 2.0) -> LiveCamera:
    """The camera at `settings.url`.

    Raises:
        ConfigError: the address is none that FFmpeg streams from.
    """
    check_url(settings.url)
    return LiveCamera(lambda: StreamSource(settings, clock), clock, max_age_s)


def check_url(url: str) -> None:
    """Refuse what is no address of a stream.

    Raises:
        ConfigError: the scheme is another one, or there is no host.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname:
        expected = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigError(f"{without_secrets(url)} is no camera stream: expected {expected} with a host")
    try:
        _ = parts.port
    except ValueError:
        raise ConfigError(
            f"{without_secrets(url)} has no number as its port: in user and password write / as %2F, ? as %3F, # as %23"
        ) from None


class StreamSource:
    """An opened stream. FFmpeg gives no frame after a read that timed out: then it must be opened anew.

    Raises:
        CameraLostError: nothing answers at the address, or what answers is no video.
    """

    def __init__(
        self,
        settings: StreamSettings,
        clock: Clock,
        open_capture: Callable[[str, float, float], Capture | None] = open_stream,
    ) -> None:
        os.environ.setdefault(*_OPTIONS)
        self._address = without_secrets(settings.url)
        self._clock = clock
        self._read_timeout_s = settings.read_timeout_s
        capture = open_capture(settings.url, settings.open_timeout_s, settings.read_timeout_s)
        if capture is None:
            raise CameraLostError(
                f"no video from {self._address} within {settings.open_timeout_s:g} s:"
                " is the camera on, and are address, user and password right?"
            )
        self._capture = capture
        found = _settings_of(capture)
        self.report = SettingsReport(found, found)
        self.limits = WatchLimits() if found.fourcc in _INTRA_CODECS else _INTER_LIMITS

    def read(self) -> Captured | None:
        asked_at_s = self._clock.now_s()
        is_grabbed = self._capture.grab()
        # After a time-out FFmpeg first hands out what its decoder held back: pictures older than that time.
        if self._clock.now_s() - asked_at_s >= self._read_timeout_s:
            raise StalledCameraError(
                f"{self._address} stopped sending (nothing for {self._read_timeout_s:g} s): is it on the network?"
            )
        if not is_grabbed:
            raise StalledCameraError(
                f"{self._address} hung up, or sends what is no picture: does the camera run, and is this its video?"
            )
        is_decoded, image = self._capture.retrieve()
        return Captured(to_rgb(image)) if is_decoded else None

    def close(self) -> None:
        self._capture.release()


def _settings_of(capture: Capture) -> CaptureSettings:
    return CaptureSettings(
        round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        capture.get(cv2.CAP_PROP_FPS),
        codec_of(capture),
    )
