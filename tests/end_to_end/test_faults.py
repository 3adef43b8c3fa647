"""The whole bin when a part of it goes away for good: it ends with the exit code that lets systemd start it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.edge.accelerator import build_driver, compiled_bundle

SORTER = (sys.executable, "-c", "from edge.cli import main; main()")


def test_an_edgetpu_that_is_pulled_out_ends_the_bin_and_loses_no_decision(tmp_path: Path) -> None:
    """The stub gives six pictures the same even scores and then fails: one item is decided, the next never is."""
    bundle = compiled_bundle(tmp_path / "bundle")
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LD_LIBRARY_PATH": str(build_driver(tmp_path).parent),
        "VANISHES_AFTER": "6",
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
