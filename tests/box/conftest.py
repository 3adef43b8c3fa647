"""A booted box for each test, as it was built: what a test does to it is gone with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box.box import Box

_BOOT_S = 90.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Container(Box):
    """A Debian behind namespaces, on this machine's kernel; `leader` is its init's process number here."""

    leader: int

    def run(self, command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(self.leader), "-a", *command],
            input=stdin, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """Debian, booted, with sorter installed and no service yet."""
    root = request.config.getoption("--box")
    if root is None:
        pytest.skip("needs a Debian of its own, as root: see tests/box/__init__.py")
    command = ["systemd-nspawn", "-D", root, "--volatile=overlay", "--boot", "--quiet", "--private-network"]
    command += ["--register=no", "--keep-unit", "--kill-signal=SIGRTMIN+3"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as container:
        leader = _leader(container)
        running = Container(leader)
        _wait_for_boot(running)
        yield running
        os.kill(leader, signal.SIGRTMIN + 4)  # power off at once
        try:
            container.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            container.kill()


def _leader(container: subprocess.Popen[bytes]) -> int:
    """The process number of the init inside."""
    ends_at_s = time.monotonic() + _BOOT_S
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    while time.monotonic() < ends_at_s:
        numbers = children.read_text(encoding="ascii").split()
        if numbers and Path(f"/proc/{numbers[0]}/comm").read_text(encoding="ascii").strip() == "systemd":
            return int(numbers[0])
        assert container.poll() is None, f"the box did not boot: {container.stdout and container.stdout.read()!r}"
        time.sleep(_POLL_S)
    raise TimeoutError(f"the box did not boot within {_BOOT_S} s")


def _wait_for_boot(box: Box) -> None:
    ends_at_s = time.monotonic() + _BOOT_S
    while box("systemctl", "is-system-running", is_checked=False) not in {"running", "degraded"}:
        if time.monotonic() > ends_at_s:
            raise TimeoutError(f"the box did not come up within {_BOOT_S} s")
        time.sleep(_POLL_S)
