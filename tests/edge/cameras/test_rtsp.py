"""RTSP against a real server on loopback that sends MPEG-4 over TCP, falls silent and gets stuck.

MPEG-4 stands for H.264, for which OpenCV brings no encoder: both tell a picture by the one before it.
"""

from __future__ import annotations

import math
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.recover import Fault, ReopeningCamera
from edge.cameras.stream import StreamSettings, stream_camera
from edge.clock import SystemClock
from edge.errors import CameraError
from edge.messages import Frame

RATE_HZ = 12
WIDTH, HEIGHT = 320, 240
NOTICED_WITHIN_S = 2.0
# How much faster than the world the slow test runs while all is well.
HURRY = 4.0
# How long a test waits before it gives up, seconds of the camera's clock.
LIMIT_S = 120.0
# Bytes of a picture in one packet, below what a network carries in one piece.
_MAX_PAYLOAD = 1400
_VOP = b"\x00\x00\x01\xb6"


def coded(path: Path, num_pictures: int) -> list[bytes]:
    """MPEG-4 pictures of a bin, of which the second half comes from a stuck sensor; the encoder goes on."""
    rng = np.random.default_rng(5)
    ground = cv2.GaussianBlur(rng.uniform(60, 200, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 9)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FMP4"), RATE_HZ, (WIDTH, HEIGHT))
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for index in range(num_pictures):
        if index < num_pictures // 2:
            image = np.clip(ground + rng.normal(0, 4, ground.shape), 0, 255).astype(np.uint8)
        writer.write(image)
    writer.release()
    return list(_video_chunks(path.read_bytes()))


def _video_chunks(avi: bytes) -> Iterator[bytes]:
    """The pictures of an AVI file, in order."""
    at = avi.index(b"movi") + 4
    while avi[at : at + 4] == b"00dc":
        (size,) = struct.unpack_from("<I", avi, at + 4)
        yield avi[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


class HurriedClock(SystemClock):
    """Time that goes by faster than in the world, until it calms down: what takes a camera long takes the test less."""

    def __init__(self, hurry: float) -> None:
        super().__init__()
        self._pace = 0.0, hurry

    @property
    def hurry(self) -> float:
        return self._pace[1]

    def now_s(self) -> float:
        lead_s, hurry = self._pace
        return lead_s + super().now_s() * hurry

    def calm_down(self) -> None:
        self._pace = self.now_s() - super().now_s(), 1.0


class RtspServer:
    """One network camera for one viewer at a time (RFC 2326; MPEG-4 by RFC 6416, interleaved on the connection)."""

    def __init__(self, pictures: list[bytes], clock: HurriedClock) -> None:
        self._pictures, self._clock = pictures, clock
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.has_died = threading.Event()
        self.is_silent = threading.Event()
        self.is_stuck = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/bin"

    def die(self) -> None:
        self.has_died.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self.has_died.is_set():
            try:
                viewer, _ = self._listener.accept()
                with viewer:
                    self._answer(viewer)
            except OSError:
                continue  # the viewer hung up, or the server dies

    def _answer(self, viewer: socket.socket) -> None:
        requests = viewer.makefile("rb")
        for line in iter(requests.readline, b""):
            headers = dict(part.split(b": ", 1) for part in iter(lambda: requests.readline().strip(), b""))
            method = line.split()[0]
            extra, body = self._reply(method)
            viewer.sendall(b"RTSP/1.0 200 OK\r\nCSeq: " + headers[b"CSeq"] + b"\r\n" + extra + b"\r\n" + body)
            if method == b"PLAY":
                return self._play(viewer)
        return None

    def _reply(self, method: bytes) -> tuple[bytes, bytes]:
        if method == b"DESCRIBE":
            config = self._pictures[0][: self._pictures[0].index(_VOP)].hex()
            sdp = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=bin\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                f"a=rtpmap:96 MP4V-ES/90000\r\na=fmtp:96 profile-level-id=1;config={config}\r\na=control:video\r\n"
            ).encode()
            return b"Content-Type: application/sdp\r\nContent-Length: %d\r\n" % len(sdp), sdp
        if method == b"SETUP":
            return b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", b""
        return b"Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n", b""

    def _play(self, viewer: socket.socket) -> None:
        """Live pictures in a circle, then those of the stuck sensor; each in packets of which the last is marked."""
        half = len(self._pictures) // 2
        live, stuck = cycle(self._pictures[:half]), cycle(self._pictures[half:])
        number = sent = 0
        while not self.has_died.wait(1 / RATE_HZ / self._clock.hurry):
            if self.is_silent.is_set():
                continue
            picture = next(stuck if self.is_stuck.is_set() else live)
            parts = [picture[at : at + _MAX_PAYLOAD] for at in range(0, len(picture), _MAX_PAYLOAD)]
            for left, part in zip(reversed(range(len(parts))), parts, strict=True):
                head = struct.pack("!BBHII", 0x80, 96 | 0x80 * (left == 0), sent % 65536, number * 90_000 // RATE_HZ, 1)
                viewer.sendall(struct.pack("!cBH", b"$", 0, len(head) + len(part)) + head + part)
                sent += 1
            number += 1


class Viewer:
    """A reopening camera on the server, asked for frames without pause."""

    def __init__(self, url: str, clock: HurriedClock) -> None:
        self.clock = clock
        settings = StreamSettings(url, read_timeout_s=clock.hurry)  # a second of the world
        self.camera = ReopeningCamera(stream_camera(settings, clock), clock, seed=1)
        self.camera.open()

    def watch(self, num_frames: float = math.inf) -> None:
        """Look at so many frames, or until there is a fault."""
        until_s = self.clock.now_s() + LIMIT_S
        while self.camera.health.fault is None and num_frames > 0 and self.clock.now_s() < until_s:
            with suppress(CameraError):
                num_frames -= self.camera.next_frame(0.3) is not None

    def until_fault(self) -> tuple[Fault | None, float]:
        """The next fault, and after how many seconds it was noticed."""
        began_s = self.clock.now_s()
        self.watch()
        return self.camera.health.fault, self.camera.health.since_s - began_s


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return coded(tmp_path_factory.mktemp("rtsp") / "bin.avi", 8 * RATE_HZ)


@contextmanager
def watched(pictures: list[bytes], hurry: float = 1.0) -> Iterator[tuple[RtspServer, Viewer]]:
    clock = HurriedClock(hurry)
    server = RtspServer(pictures, clock)
    viewer = Viewer(server.url, clock)
    try:
        yield server, viewer
    finally:
        server.die()
        viewer.camera.close()


def check_noticed_and_mended(viewer: Viewer, mischief: threading.Event, named: Fault) -> None:
    mischief.set()
    fault, after_s = viewer.until_fault()
    assert fault is named
    assert after_s < NOTICED_WITHIN_S
    mischief.clear()
    assert _next_frame(viewer).image.shape == (HEIGHT, WIDTH, 3)


def test_a_stream_that_falls_silent_is_noticed_and_opened_anew_when_it_speaks(pictures: list[bytes]) -> None:
    with watched(pictures) as (server, viewer):
        assert viewer.camera.next_frame(3.0) is not None
        check_noticed_and_mended(viewer, server.is_silent, Fault.STALLED)


def test_a_sensor_that_is_stuck_behind_its_encoder_is_noticed(pictures: list[bytes]) -> None:
    """Its pictures differ to the bit: the encoder refines them, and sends a key frame each second."""
    with watched(pictures, HURRY) as (server, viewer):
        viewer.watch(10 * RATE_HZ)
        assert viewer.camera.health.fault is None
        viewer.clock.calm_down()
        check_noticed_and_mended(viewer, server.is_stuck, Fault.FROZEN)


def _next_frame(viewer: Viewer) -> Frame:
    until_s = viewer.clock.now_s() + LIMIT_S
    while viewer.clock.now_s() < until_s:
        with suppress(CameraError):
            frame = viewer.camera.next_frame(0.3)
            if frame is not None:
                return frame
    raise AssertionError(f"no frame within {LIMIT_S} s: {viewer.camera.health}")
