"""The installed command, as an owner calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest


@pytest.fixture
def sorter(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Calls `sorter` with these arguments in a process of its own, with a state directory of its own."""
    command = Path(sys.executable).with_name("sorter")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONWARNINGS": "error"}

    def call(*arguments: str) -> CompletedProcess[str]:
        return subprocess.run(
            [command, *arguments],
            capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path,
        )  # fmt: skip

    return call
