"""The whole bin when a part of it goes away for good: it ends with the exit code that lets systemd start it again."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from edge.models.store import ModelStore, Role
from edge.models.trial import begin_trial
from tests.edge.accelerator import build_driver, compiled_bundle
from tests.edge.cameras.test_stream import MjpegServer
from tests.edge.claimed_port import ClaimedPort

SORTER = (sys.executable, "-c", "from edge.cli import main; main()")


def test_an_edgetpu_that_is_pulled_out_ends_the_bin_and_loses_no_decision(tmp_path: Path) -> None:
    """The stub gives seven pictures the same even scores and then fails: the one before the bin is ready, and six.

    One item is decided, the next never is.
    """
    bundle = compiled_bundle(tmp_path / "bundle")
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LD_LIBRARY_PATH": str(build_driver(tmp_path).parent),
        "VANISHES_AFTER": "7",
    }
    bin_ = ("--bundle", str(bundle), "--set", "model.backend=edgetpu", "--set", "camera.backend=simulated")
    ended = subprocess.run(
        [*SORTER, "run", "--json", *bin_], capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert ended.returncode == 69, ended.stderr
    assert "is the accelerator still there?" in ended.stderr
    told = [json.loads(line)["seq"] for line in ended.stdout.splitlines()]
    kept = subprocess.run(
        [*SORTER, "events", "--json"], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    assert sorted(json.loads(line)["seq"] for line in kept.stdout.splitlines()) == told == [1]


def test_a_model_whose_first_inference_fails_is_rolled_back(tmp_path: Path) -> None:
    """Both models run on the stub, which fails at once: the one on trial takes the blame, then the bin ends."""
    store = ModelStore(tmp_path / "state" / "sorter" / "models")
    for name in ("old@1", "new@2"):
        compiled_bundle(store.folder / name)
    store.activate("old@1")
    begin_trial(store, "new@2", 100, [])
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LD_LIBRARY_PATH": str(build_driver(tmp_path).parent),
        "VANISHES_AFTER": "0",
    }
    bin_ = ("--set", "model.backend=edgetpu", "--set", "camera.backend=simulated")
    ended = subprocess.run(
        [*SORTER, "run", *bin_], capture_output=True, text=True, check=False, timeout=240, env=environment
    )
    assert ended.returncode == 69, ended.stderr
    assert "new@2 does not start" in ended.stderr
    assert "rolled back to old@1" in ended.stderr
    active = store.path_of(Role.ACTIVE)
    assert active is not None
    assert active.name == "old@1"


def test_a_bin_without_memory_ends_so_that_it_is_started_again_and_loses_no_decision(tmp_path: Path) -> None:
    """Twice, while it sorts, the kernel gives it no more; what it has told is in the journal, and seq goes on."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    bin_ = [*SORTER, "run", "--json", "--set", "camera.backend=simulated"]
    told = []
    for _ in range(2):
        with subprocess.Popen(
            bin_, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            told.append(json.loads(process.stdout.readline())["seq"])
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (0, 0))
            output, errors = process.communicate(timeout=120)
        told += [json.loads(line)["seq"] for line in output.splitlines()]
        # Where a library asked for it the kernel or the library itself may have ended it.
        assert process.returncode == 71 or process.returncode < 0, errors
        if process.returncode == 71:
            assert "the computer has no memory left" in errors
    kept = subprocess.run(
        [*SORTER, "events", "--json"], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    seqs = sorted(json.loads(line)["seq"] for line in kept.stdout.splitlines())
    assert seqs == list(range(1, len(seqs) + 1))
    assert set(told) <= set(seqs)
    assert len(seqs) >= 2


def test_a_service_whose_camera_comes_later_says_so_and_waits_for_it(tmp_path: Path) -> None:
    """After a power cut a network camera takes longer to begin than the bin does."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "STATE_DIRECTORY": str(tmp_path)}
    with ExitStack() as stack:
        port = stack.enter_context(ClaimedPort()).number
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(environment["NOTIFY_SOCKET"])
        manager.settimeout(1.0)
        process = stack.enter_context(
            subprocess.Popen(
                [*SORTER, "run", "--set", "camera.backend=stream", "--set", f"camera.url=http://127.0.0.1:{port}/"],
                env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        stack.callback(process.kill)
        assert process.stderr is not None
        told: list[str] = []
        while "READY=1" not in told:
            with suppress(TimeoutError):
                told.append(manager.recv(1000).decode())
            assert process.poll() is None, process.stderr.read()
        assert "STATUS=camera unplugged" in told[-2]
        stack.callback(MjpegServer(port).die)
        assert any("camera works again" in line for line in process.stderr)
        process.terminate()
        assert process.wait(timeout=20) == 0, process.stderr.read()
