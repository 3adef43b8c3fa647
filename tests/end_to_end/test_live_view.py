"""The demo at a real pseudo-terminal: a picture where one fits, lines where not."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

SORTER = Path(sys.executable).with_name("sorter")


def played(columns: int, rows: int, **environment: str) -> str:
    """What `sorter demo` writes to a terminal of this size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [SORTER, "demo", "--fast", "--items", "1"], stdin=follower, stdout=follower, stderr=follower, close_fds=True,
        env={**_without_size(), "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(follower)
    chunks = []
    try:
        while chunk := os.read(leader, 1 << 16):
            chunks.append(chunk)
    except OSError:  # the last one at the terminal has left
        pass
    finally:
        os.close(leader)
    assert process.wait(timeout=60) == 0
    return b"".join(chunks).decode()


def _without_size() -> dict[str, str]:
    """The environment, but for the size that it may claim whatever terminal is there."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}


@pytest.mark.parametrize(("setting", "ink"), [("truecolor", r"\033\[38;2;\d+;\d+;\d+m"), ("", r"\033\[38;5;\d+m")])
def test_a_large_terminal_shows_the_picture_the_scores_and_the_bins(setting: str, ink: str) -> None:
    said = played(120, 40, COLORTERM=setting)
    assert "the camera sees:" in said
    assert re.search(ink + r"\033\[48;[^m]+m▀", said)
    assert "1 item: " in said
    assert said.rstrip().count("\033[?25h") == 1, "the cursor is back"


@pytest.mark.parametrize(
    ("columns", "rows", "environment"), [(60, 40, {}), (120, 40, {"NO_COLOR": "1"}), (120, 40, {"TERM": "dumb"})]
)
def test_elsewhere_it_writes_lines(columns: int, rows: int, environment: dict[str, str]) -> None:
    said = played(columns, rows, **environment)
    assert "\033[H" not in said
    assert "accepted" in said
