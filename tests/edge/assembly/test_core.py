"""What a bin has around its loop, tied to each other."""

from __future__ import annotations

import queue
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
