"""Network cameras against a real MJPEG server on loopback that is killed, frozen and started again."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from edge.cameras.captures import Capture
from edge.cameras.recover import CameraHealth, Fault, ReopeningCamera
from edge.cameras.scripted import ScriptedCapture, Step
from edge.cameras.stream import StreamSettings, StreamSource, check_url, stream_camera
from edge.clock import ReplayClock, SystemClock
from edge.errors import CameraError, CameraLostError, ConfigError, StalledCameraError
from edge.messages import Frame
from tests.edge.claimed_port import ClaimedPort

FRAME_PERIOD_S = 1 / 30
# How long anything may take before the test gives up; each wait ends with what it waits for.
LIMIT_S = 15.0
NOTICED_WITHIN_S = 2.0


def jpeg(number: int) -> bytes:
    """A red picture, each a little different, with a bright spot that lights it."""
    image = np.zeros((48, 64, 3), dtype=np.uint8)
    image[..., 2] = 120 + number * 7 % 100
    return cv2.imencode(".jpg", image)[1].tobytes()


class _Stream(BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in itertools.count():
            if self.server.has_died.wait(FRAME_PERIOD_S):
                return
            if self.server.is_silent.is_set():
                continue
            picture = jpeg(0 if self.server.is_stuck.is_set() else number)
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + picture + b"\r\n")
            except OSError:
                return  # the camera under test hung up
            self.server.num_sent += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


class MjpegServer(ThreadingHTTPServer):
    """A network camera that can fall silent, repeat one picture, and die."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Stream)
        self.has_died = threading.Event()
        self.is_silent = threading.Event()
        self.is_stuck = threading.Event()
        self.num_sent = 0
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream.mjpg"

    def die(self) -> None:
        self.has_died.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class Watched:
    """A reopening camera on a stream, with what became of it."""

    def __init__(self, url: str) -> None:
        self.clock = SystemClock()
        settings = StreamSettings(url, open_timeout_s=1.0, read_timeout_s=1.0)
        self.history: list[tuple[Fault | None, float]] = []
        self.camera = ReopeningCamera(stream_camera(settings, self.clock), self.clock, self._on_change, seed=1)
        self.camera.open()

    def frame(self) -> Frame:
        """The next frame, whatever faults come before it."""
        return self._look_until(lambda frame: frame is not None)

    def until_fault(self) -> tuple[Fault, float]:
        """The next fault, and after how many seconds it was noticed."""
        began_s = self.clock.now_s()
        self._look_until(lambda _: self.camera.health.fault is not None)
        fault, at_s = self.history[-1]
        assert fault is not None
        return fault, at_s - began_s

    def until_well(self) -> None:
        self._look_until(lambda _: self.camera.health.fault is None)

    def _look_until(self, is_enough: Callable[[Frame | None], bool]) -> Frame:
        until_s = self.clock.now_s() + LIMIT_S
        frame: Frame | None = None
        while self.clock.now_s() < until_s:
            try:
                frame = self.camera.next_frame(0.5)
            except CameraError:
                frame = None
            if is_enough(frame):
                return frame or Frame(-1, 0.0, np.empty((0, 0, 3), dtype=np.uint8))
        raise AssertionError(f"nothing within {LIMIT_S} s; {self.history}")

    def _on_change(self, health: CameraHealth) -> None:
        self.history.append((health.fault, health.since_s))


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    server = MjpegServer()
    yield server
    if not server.has_died.is_set():
        server.die()


@contextmanager
def watched(url: str) -> Iterator[Watched]:
    bench = Watched(url)
    try:
        yield bench
    finally:
        bench.camera.close()


def test_a_stream_gives_rgb_frames_in_order(server: MjpegServer) -> None:
    with watched(server.url) as bench:
        frames = [bench.frame() for _ in range(5)]
        assert all(later.captured_at_s > earlier.captured_at_s for earlier, later in itertools.pairwise(frames))
        assert frames[0].image.shape == (48, 64, 3)
        assert frames[0].image[0, 0, 0] > 100
        assert frames[0].image[0, 0, 2] < 40
        assert bench.history == [(None, bench.history[0][1])]


def test_a_server_that_is_killed_and_started_again_is_found_again() -> None:
    with ClaimedPort() as port, watched((server := MjpegServer(port.number)).url) as bench:
        bench.frame()
        server.die()
        fault, after_s = bench.until_fault()
        assert fault is Fault.STALLED
        assert after_s < NOTICED_WITHIN_S
        reborn = MjpegServer(port.number)
        try:
            assert bench.frame().sequence > 0
            bench.until_well()
        finally:
            reborn.die()


def test_a_server_that_falls_silent_is_noticed_and_opened_anew_when_it_speaks(server: MjpegServer) -> None:
    with watched(server.url) as bench:
        bench.frame()
        server.is_silent.set()
        fault, after_s = bench.until_fault()
        assert fault is Fault.STALLED
        assert after_s < NOTICED_WITHIN_S
        server.is_silent.clear()
        bench.frame()


def test_a_server_that_repeats_one_picture_is_frozen(server: MjpegServer) -> None:
    with watched(server.url) as bench:
        bench.frame()
        server.is_stuck.set()
        fault, after_s = bench.until_fault()
        assert fault is Fault.FROZEN
        assert after_s < NOTICED_WITHIN_S
        server.is_stuck.clear()
        bench.frame()


def test_nothing_that_listens_is_an_error_without_the_password() -> None:
    with ClaimedPort() as port:
        settings = StreamSettings(f"http://bin:secret@127.0.0.1:{port.number}/stream?key=abc")
        address = rf"http://127\.0\.0\.1:{port.number}/stream"
        with pytest.raises(CameraLostError, match=rf"no video from {address} within") as caught:
            StreamSource(settings, SystemClock())
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = StreamSettings(f"http://127.0.0.1:{mute.getsockname()[1]}/", open_timeout_s=0.3)
        with pytest.raises(CameraLostError, match=r"within 0\.3 s"):
            StreamSource(settings, SystemClock())


def test_a_stream_whose_first_picture_takes_its_time_is_waited_for(server: MjpegServer) -> None:
    """Many cameras send a key frame every few seconds only, and nothing can be shown before one."""
    server.is_silent.set()
    speaks = threading.Timer(3.3, server.is_silent.clear)
    speaks.start()
    source = StreamSource(StreamSettings(server.url), SystemClock())
    assert source.read() is not None
    source.close()
    speaks.join()


def test_a_password_with_a_slash_is_a_mistake_that_is_told_without_it() -> None:
    with pytest.raises(ConfigError, match="write / as %2F") as caught:
        check_url("rtsp://bin:sec/ret?@camera/main")
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)


@pytest.mark.parametrize("url", ["camera.local/stream", "ftp://camera/stream", "/dev/video0", "rtsp:///main", ""])
def test_what_is_no_stream_address_is_a_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(ConfigError, match="expected rtsp://"):
        stream_camera(StreamSettings(url), SystemClock())


def scripted(capture: ScriptedCapture) -> Callable[[str, float, float], Capture | None]:
    return lambda _url, _open_s, _read_s: capture


@pytest.mark.parametrize(("codec", "is_whole"), [("MJPG", True), ("h264", False)])
def test_repeats_are_no_fault_where_the_codec_makes_them(codec: str, *, is_whole: bool) -> None:
    fourcc = float(cv2.VideoWriter.fourcc(*codec))
    source = StreamSource(
        StreamSettings("rtsp://camera/"),
        ReplayClock(),
        scripted(ScriptedCapture([], applied={cv2.CAP_PROP_FOURCC: fourcc})),
    )
    assert source.report.applied.fourcc == codec
    assert source.limits.hands_out_repeats is not is_whole
    assert (source.limits.frozen_after_s < NOTICED_WITHIN_S) is is_whole


def test_a_picture_that_cannot_be_decoded_is_passed_over() -> None:
    source = StreamSource(StreamSettings("rtsp://camera/"), ReplayClock(), scripted(ScriptedCapture([Step.DAMAGED])))
    assert source.read() is None
    with pytest.raises(StalledCameraError):
        source.read()


def test_pictures_that_the_decoder_held_back_are_not_new_ones() -> None:
    """After a time-out FFmpeg hands out, one a time-out, what its threads still had."""
    clock, settings = ReplayClock(), StreamSettings("rtsp://camera/", read_timeout_s=2.0)
    picture = np.zeros((48, 64, 3), np.uint8)
    late = ScriptedCapture([picture, picture], on_grab=lambda: clock.advance_to(clock.now_s() + 2.0))
    with pytest.raises(StalledCameraError, match="stopped sending"):
        StreamSource(settings, clock, scripted(late)).read()
