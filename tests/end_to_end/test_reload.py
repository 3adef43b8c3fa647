"""SIGHUP in a real process: new settings hold, wrong ones leave the bin as it was, and it still stops well."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE_S = 60.0
CONFIG = """
[device]
id = "bin"
[camera]
backend = "simulated"
num_items = 1000
[bins.all]
labels = ["cardboard", "glass", "metal", "paper", "plastic", "trash"]
[web]
port = 0
[pictures]
enabled = false
"""


class Running:
    """A `sorter run` whose lines can be waited for."""

    def __init__(self, config: Path, state: Path) -> None:
        command = [Path(sys.executable).with_name("sorter"), "run", "--config", config]
        environment = {**os.environ, "XDG_STATE_HOME": str(state)}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)

    def end(self) -> None:
        """At once, if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def num_held(self) -> tuple[int, int]:
        """Open files, and threads, those of the network's runtime included."""
        own = Path(f"/proc/{self.process.pid}")
        return len(list((own / "fd").iterdir())), len(list((own / "task").iterdir()))

    def until(self, is_wanted: Callable[[str], bool]) -> str:
        """The next line that is wanted; the others are passed over."""
        while True:
            line = self._lines.get(timeout=PATIENCE_S)
            if is_wanted(line):
                return line


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sorter.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def running(config: Path, tmp_path: Path) -> Iterator[Running]:
    running = Running(config, tmp_path / "state")
    running.until(lambda line: "accepted" in line or "unknown" in line)
    yield running
    running.end()


def test_new_settings_hold_after_a_reload_and_wrong_ones_do_not(running: Running, config: Path) -> None:
    config.write_text(CONFIG.replace('id = "bin"', 'id = "!"'), encoding="utf-8")
    running.process.send_signal(signal.SIGHUP)
    assert "device.id" in running.until(lambda line: "not reloaded, the bin goes on as it was" in line)

    config.write_text(CONFIG.replace("bins.all", "bins.hall"), encoding="utf-8")
    num_held = running.num_held()
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda line: "read again" in line)
    running.until(lambda line: "-> hall" in line)
    # At either moment a file may just be open, and a thread just be ending.
    give_up_s = time.monotonic() + PATIENCE_S
    while any(now > before for now, before in zip(running.num_held(), num_held, strict=True)):
        assert time.monotonic() < give_up_s, "something of the first bin is left"

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=PATIENCE_S) == 0


def test_a_bin_that_is_stopped_in_the_middle_of_a_reload_opens_nothing_any_more(running: Running, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        # Its end takes a second, since nobody answers; its next beginning would take longer than a stop may.
        slow_to_end = f'{CONFIG}[webhook]\nurl = "http://{address}/"\n'
        config.write_text(slow_to_end, encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        silent.settimeout(PATIENCE_S)
        with silent.accept()[0]:
            camera = f'backend = "stream"\nurl = "rtsp://{address}/"'
            config.write_text(re.sub(r"backend = .*\nnum_items = .*", camera, slow_to_end), encoding="utf-8")
            running.process.send_signal(signal.SIGHUP)
            for _ in range(2):
                running.until(lambda line: "read again" in line)
            began_s = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(timeout=PATIENCE_S) == 0
    assert time.monotonic() - began_s < 5.0, "the unit allows 5 s"
