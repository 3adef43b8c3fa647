"""From somebody's own sixty photographs to decisions, by the README's own lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.cameras.simulated import SCENES
from tests.conftest import SHARED_DATA
from tests.end_to_end.photographs import choose_photographs, take_photographs

CHECKOUT = Path(__file__).parents[2]
NUM_EACH, NUM_OTHERS = 20, 3
# What the manual says of --set and --epochs, so that two cores need a minute and not five.
QUICK = "--set network.train_px=160 --set network.input_px=160 --epochs 6 --no-report"


def manual() -> list[str]:
    """The lines of the README's walk from `photos/` to a replay."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (walk,) = (block for block in blocks if "sorter train photos/ " in block and "--truth clip.json" in block)
    return [line.partition(" #")[0].strip() for line in walk.splitlines()]


def photographs(folder: Path) -> None:
    """`photos/` to train on and `others/` to try it with: real ones where there are any."""
    if SHARED_DATA.is_dir():
        parts = {folder / "photos": ("train", NUM_EACH), folder / "others": ("val", NUM_OTHERS)}
        choose_photographs(SHARED_DATA / "trashnet", parts)
    else:
        take_photographs({folder / "photos": NUM_EACH, folder / "others": NUM_OTHERS})
    shutil.copy(SCENES / "empty.jpg", folder)


@pytest.mark.timeout(600)  # a minute on two quiet cores
def test_sixty_photographs_become_a_bin_by_following_the_readme(tmp_path: Path) -> None:
    photographs(tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path / "state")}
    lines = manual()
    assert [line.split()[1] for line in lines] == ["data", "train", "convert", "model", "simulate", "replay"]
    for line in lines:
        added = {"train": QUICK, "replay": "--json"}.get(line.split()[1], "")
        told = subprocess.run(
            ["bash", "-c", f"{line} {added}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, f"{line}\n{told.stdout}{told.stderr}"
        assert told.stderr == "" or line.startswith("sorter train"), told.stderr
    *decisions, score = map(json.loads, told.stdout.splitlines())
    num_items = 3 * NUM_OTHERS
    assert len(decisions) == score["num_found"] == num_items
    assert (score["num_missed"], score["num_invented"], score["num_doubled"]) == (0, 0, 0)
    # One in three would be chance: of nine, six are right by chance in 4 of 100 bins, and this is after six epochs.
    assert score["num_right"] >= 6
    assert {decision["label"] for decision in decisions} >= {"glass", "metal", "paper"}
