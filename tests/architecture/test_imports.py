"""What an import may load, seen in a fresh process: a device has no time and no memory for the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "cv2", "picamera2", "gpiozero", "paho", "starlette", "ai_edge_litert", "pydantic")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return {name.split(".")[0] for name in answer.stdout.splitlines()}


@pytest.mark.parametrize(
    "module",
    ["edge.loop", "edge.cli", "edge.commands", "train.cli", "convert.cli", "calibration.cli", "calibration.teach_cli"],
)
def test_it_loads_nothing_heavy(module: str) -> None:
    assert modules_after(f"import {module}").isdisjoint(HEAVY)


def test_help_loads_every_command_and_nothing_heavy() -> None:
    code = "import sys; from edge.cli import gather, sorter; gather(); sorter.main(['--help'], standalone_mode=False)"
    assert modules_after(code).isdisjoint(HEAVY)


def test_a_whole_device_loads_no_tensorflow() -> None:
    loaded = modules_after("import edge.service, calibration")
    assert loaded.isdisjoint({"tensorflow", "keras", "torch", "picamera2", "starlette"})
