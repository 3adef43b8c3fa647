"""What a bin has around its loop, tied to each other."""

from __future__ import annotations

import queue
import socket
from pathlib import Path

import pytest

from edge.assembly.core import open_core
from edge.assembly.parts import load_parts
from edge.clock import ReplayClock
from edge.config import load_config
from edge.running.farewell import Farewell


def test_pictures_that_cannot_be_kept_are_a_problem_of_the_bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="ascii")
    parts = load_parts(load_config(None, [f"pictures.path={blocked}/pictures"], {}))
    told: queue.Queue[list[str]] = queue.Queue()
    with Farewell() as stack:
        core = open_core(stack, parts, ReplayClock(), on_new_model=lambda: None)
        core.problems.listen(told.put)
        while not (sentences := told.get(timeout=30)):
            pass
    assert sentences == [f"{blocked}/pictures: pictures cannot be kept: Not a directory"]


def test_what_is_wrong_is_told_to_the_service_manager_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    parts = load_parts(load_config(None, ["pictures.enabled=false"], {}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Farewell() as stack:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        core = open_core(stack, parts, ReplayClock(), on_new_model=lambda: None)
        core.problems.report("camera", "camera unplugged:\nREADY=1")
        core.problems.report("camera", None)
        assert [manager.recv(100).decode() for _ in range(3)] == [
            "STATUS=",
            "STATUS=camera unplugged: READY=1",
            "STATUS=",
        ]
