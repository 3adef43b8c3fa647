"""Ctrl-C and SIGTERM end a command with a word at most, never with a stack trace."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.cli import TERMINATED
from edge.config.layers import SYSTEM_CONFIG
from tests.edge.cameras.test_stream import MjpegServer


def started(*arguments: str, state: Path) -> subprocess.Popen[str]:
    """The command at work, its state in a folder of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next one that it prints."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_recording_that_is_stopped_says_what_was_kept(tmp_path: Path, number: signal.Signals) -> None:
    process = started("record", str(tmp_path / "my case"), "--seconds", "600", state=tmp_path)
    while not list(tmp_path.glob("my case/frames/000003.png")):
        assert process.poll() is None, process.communicate()
    process.send_signal(number)
    said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "stopped\n")
    assert said.endswith(f"frames; next: sorter replay '{tmp_path}/my case'\n")


def test_a_demo_that_is_terminated_says_so(tmp_path: Path) -> None:
    process = started("demo", "--json", state=tmp_path)
    assert '"outcome"' in line(process)
    process.terminate()
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (TERMINATED, "stopped\n")


# A thread like those that move the flaps and speak to the broker, which meets what nobody thought of.
DYING = """
import threading, time

def work():
    while threading.excepthook is threading.__excepthook__:  # the bin does not run yet
        time.sleep(0.01)
    raise ZeroDivisionError("nobody thought of this")

threading.Thread(target=work, name="courier-test", daemon=True).start()
from edge.__main__ import main
main()
"""


def test_a_bin_ends_with_the_first_of_its_threads_that_dies(tmp_path: Path) -> None:
    # Its supervisor starts it anew; without that thread it would go on for years, and tell or move nothing.
    process = subprocess.run(
        [sys.executable, "-c", DYING, "run", "--set", "camera.backend=simulated"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 70
    assert "the thread courier-test has ended by an error, and the bin with it" in process.stderr
    assert "in work" in process.stderr, "where it happened, for who mends it"
    assert process.stderr.endswith(
        "error: this is a bug in sorter: ZeroDivisionError: nobody thought of this (run again with -vv)\n"
    )


@pytest.mark.skipif(SYSTEM_CONFIG.exists(), reason=f"this machine has a bin of its own at {SYSTEM_CONFIG}")
def test_a_bin_that_nobody_described_says_so_and_ends_well(tmp_path: Path) -> None:
    process = started("run", "--json", state=tmp_path)
    assert '"outcome"' in line(process)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "no configuration: rendered items instead of a camera; `sorter init` asks for yours" in complaints
    # The flap of the item that was just decided may not have had its turn; nothing else is said.
    assert len([line for line in complaints.splitlines() if "stopped before its turn came" not in line]) == 1


def test_ctrl_c_while_it_is_being_loaded_leaves_no_stack_trace(tmp_path: Path) -> None:
    """`-v` of Python tells each import as it begins; the first of ours is the moment.

    Into so small a pipe it cannot tell the others, and so not be through with them, before they are read.
    """
    command = [sys.executable, "-v", "-m", "edge", "demo"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, pipesize=4096)
    assert process.stderr is not None
    for told in process.stderr:
        if "edge/cli.py" in told or "edge.cli" in told:
            process.send_signal(signal.SIGINT)
            break
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT


def test_a_bin_whose_network_camera_does_not_answer_ends_in_time(tmp_path: Path) -> None:
    """It is being opened again, for which it has longer than a stop may take."""
    server = MjpegServer()
    camera = ["--set", "camera.backend=stream", "--set", f"camera.url={server.url}"]
    process = started("run", *camera, "--set", f"journal.path={tmp_path}/journal.db", state=tmp_path)
    try:
        assert process.stderr is not None
        while server.num_sent < 100:  # it is open and at work
            time.sleep(0.05)
            assert process.poll() is None, process.communicate()
        server.is_silent.set()
        while "stalled" not in (told := process.stderr.readline()):
            assert told
        time.sleep(1.0)  # the first try to open it again comes after half a second
        began_s = time.monotonic()
        process.terminate()
        _, complaints = process.communicate(timeout=60)
        assert time.monotonic() - began_s < 4.0, "the unit allows 5 s"
        assert process.returncode == 0, complaints
    finally:
        process.kill()
        server.die()


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, TERMINATED), (signal.SIGINT, 130)])
def test_a_bin_whose_network_camera_never_answered_ends_in_time(
    tmp_path: Path, number: signal.Signals, exit_code: int
) -> None:
    """It is being opened for the first time; nothing was decided, and nothing waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        camera = ["--set", "camera.backend=stream", "--set", f"camera.url=rtsp://127.0.0.1:{silent.getsockname()[1]}/a"]
        process = started("run", *camera, state=tmp_path)
        silent.settimeout(60)
        with silent.accept()[0]:
            began_s = time.monotonic()
            process.send_signal(number)
            _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (exit_code, "stopped\n")
    assert time.monotonic() - began_s < 5
