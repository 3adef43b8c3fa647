"""From somebody's own sixty photographs to decisions on a replay, by the README's own lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.photographs import LABELS, photograph_nothing, take_photographs
from tests.end_to_end.test_readme import CHECKOUT

NUM_EACH, NUM_OTHERS = 20, 2
# For two cores and a minute: fewer pixels, epochs and pictures, no report. Nobody is there to be asked.
QUICK = {
    "train": "--no-report --epochs 3 --set network.train_px=96 --set network.input_px=96",
    "convert": "--representative 12",
    "teach": "--yes",
    "replay": "--json",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody has laid out their photographs."""
    folder = tmp_path_factory.mktemp("own")
    take_photographs({folder / "photos": NUM_EACH, folder / "others": NUM_OTHERS})
    photograph_nothing(folder / "empty.jpg")
    return folder


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    """The clip of other things that both walks are tried on."""
    run(walk("sorter simulate")[0], folder)
    return folder / "clip.avi"


def walk(first: str) -> list[str]:
    """The lines of the README's shell block that begins so."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (block,) = (block for block in blocks if block.startswith(first))
    return [line.partition(" #")[0].strip() for line in block.splitlines()]


def run(line: str, folder: Path) -> str:
    """What the line says on stdout."""
    called = f"{line} {QUICK.get(line.split()[1], '')}"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    ran = subprocess.run(
        ["bash", "-c", called], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{called}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def check_replay(told: str, num_right: int) -> None:
    *decisions, score = map(json.loads, told.splitlines())
    assert len(decisions) == score["num_found"] == 3 * NUM_OTHERS
    assert (score["num_missed"], score["num_invented"], score["num_doubled"]) == (0, 0, 0)
    assert score["num_right"] >= num_right, [decision["reason"] for decision in decisions]
    assert {decision["label"] for decision in decisions} >= set(LABELS)


@pytest.mark.timeout(1800)
def test_sixty_photographs_are_taught_and_other_things_sorted(folder: Path, clip: Path) -> None:
    simulate, teach, replay = walk("sorter simulate")
    assert clip.name in simulate
    run(teach, folder)
    check_replay(run(replay, folder), num_right=5)  # one may lie as none of the sixty did


@pytest.mark.minutes
@pytest.mark.timeout(1800)
def test_sixty_photographs_train_a_network_and_other_things_are_sorted(folder: Path, clip: Path) -> None:
    *before, replay = walk("sorter data audit")
    assert [line.split()[1] for line in before] == ["data", "train", "convert", "model"]
    assert clip.name in replay
    for line in before:
        run(line, folder)
    run(*walk("sorter evaluate"), folder)
    # By chance, one in three, so many are right once in fifty times.
    check_replay(run(replay, folder), num_right=5)
