"""What drives a bin's loop: its word to the service manager, whatever the camera does, and its ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edge.errors import BlackPictureError, CameraLostError
from edge.service import Ending, Requests, serve
from tests.edge.running.steps import Steps


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What listens where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_a_bin_lives_while_its_camera_is_away_or_in_the_dark(manager: socket.socket) -> None:
    """Without its heartbeat it would be killed three times a minute, all night."""
    night = [BlackPictureError("black")] * 2
    assert serve(Steps(CameraLostError("gone"), *night, True, False), Requests()) is Ending.SOURCE_ENDED  # noqa: FBT003
    told = [manager.recv(100).decode() for _ in range(5)]
    assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_configuration_is_read_again_while_the_camera_is_away() -> None:
    """It may be what names the wrong one."""
    requests = Requests()
    requests.reload()
    assert serve(Steps(CameraLostError("gone")), requests, lambda: True) is Ending.RELOADED


def test_the_manager_is_told_again_that_the_bin_is_ready_when_it_was_too_busy(manager: socket.socket) -> None:
    """It would give up on a service that never says so."""
    told: list[str] = []

    class Crowded(Steps):
        def step(self) -> bool:
            if len(self._answers) == 2:
                told.extend(hear_all(manager))
            return super().step()

    crowd(manager)
    serve(Crowded(True, True, False), Requests())  # noqa: FBT003
    assert "READY=1" not in told
    assert hear_all(manager) == ["READY=1", "STOPPING=1"]


def crowd(manager: socket.socket) -> None:
    """Fill what waits for the manager, up to its last place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, suppress(BlockingIOError):
        other.setblocking(False)  # noqa: FBT003
        while True:
            other.sendto(b"STATUS=other services, too", manager.getsockname())


def hear_all(manager: socket.socket) -> list[str]:
    """What waits for the manager."""
    heard = []
    manager.setblocking(False)  # noqa: FBT003
    with suppress(BlockingIOError):
        while True:
            heard.append(manager.recv(100).decode())
    return heard
