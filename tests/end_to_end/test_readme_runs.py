"""The commands of the README do what they are shown for, one after another in one folder.

Those that train, that need hardware, or that run until they are stopped are run where they are tested; `ELSEWHERE`
says where, and each line of a shell block is in one of the two tables.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from unittest import mock

import cv2
import pytest
from click.testing import CliRunner, Result

from edge.bundle import DEFAULT_BUNDLE, MANIFEST, load_bundle
from edge.cli import gather, sorter
from edge.messages import Image
from edge.simulation import Conditions, Plan, Scene, cut_out, write_clip
from tests.end_to_end.test_readme import CHECKOUT, shell_lines
from tests.scenes.pictures import load_stage

CONFIG = """
[camera]
backend = "simulated"
num_items = 1
[gpio]
simulated = true
[bins.recycling]
labels = ["glass", "metal", "plastic"]
actuator = { kind = "gpio", pin = 17, pulse_s = 0.05 }
[bins.rest]
labels = ["cardboard", "paper", "trash"]
takes_unknown = true
"""

# Line of the README: what is added, for speed or because nobody answers.
HERE = {
    "sorter demo --web": "--fast --items 1 --port 0",
    "sorter doctor --config sorter.toml": "",
    "sorter classify can.jpg bottle.jpg": "",
    "sorter replay clip.mp4": "",
    "sorter replay clip.mp4 --truth clip.json --json": "",
    "sorter config validate --config sorter.toml": "",
    "sorter actuators test --config sorter.toml": "",
    "sorter benchmark --config sorter.toml": "--seconds 0.5 --threads 1",
    "sorter run --config sorter.toml --dry-run": "",
    "sorter model verify my-bundle": "",
    "sorter model show my-bundle": "",
    "sorter model keygen release.pem": "",
    "sorter model sign my-bundle --key release.pem": "",
    "sorter train --list": "",
    "sorter calibrate camera --region 0.1 0 0.9 1": "--config sorter.toml --yes",
    "sorter calibrate background": "--images empty/ --yes",
    "sorter calibrate temperature photos/": "--yes",
    "sorter calibrate thresholds photos/ --precision 0.97": "--yes",
    "sorter calibrate report": "",
    "sorter calibrate undo": "--yes",
    "sorter teach battery --images batteries/": "--yes",
    "sorter teach --evaluate": "",
    "sorter teach --list": "",
    "sorter teach --again": "--yes",
    "sorter teach --forget battery": "--yes",
    "sorter events --since 2h --unknown": "",
    "sorter explain last": "",
    "sorter correct 1842 glass": "",
    "sorter model install model.zip --shadow 200": "",
    "sorter model status": "",
    "sorter model rollback": "",
    "sorter benchmark --soak 20m --chart soak.svg": "--soak 1s --seconds 0.5 --threads 1",
}

ELSEWHERE = {
    "sorter demo": "tests/end_to_end/test_bin.py",
    "sorter try": "tests/end_to_end/test_page.py",
    "sorter service": "tests/box/test_service.py",
    "sorter data audit": "tests/end_to_end/test_own_photographs.py",
    "sorter train photos/": "tests/end_to_end/test_own_photographs.py",
    "sorter train photos/ --recipe": "tests/train/test_resume.py",
    "sorter train photos/ --recipe runs/mine": "tests/train/fitting/test_soup.py",
    "sorter train photos/ --out runs/mine --resume": "tests/train/test_resume.py",
    "sorter train photos/ --teacher": "tests/train/networks/test_teacher.py",
    "sorter train photos/ --folds": "tests/train/test_session.py",
    "sorter convert": "tests/end_to_end/test_own_photographs.py",
    "sorter simulate": "tests/end_to_end/test_own_photographs.py",
    "sorter replay clip.avi": "tests/end_to_end/test_own_photographs.py",
    "sorter evaluate": "tests/end_to_end/test_own_photographs.py",
    "sorter compare": "tests/train/measuring/test_compare.py",
    "sorter average": "tests/train/fitting/test_soup.py",
    "sorter calibrate": "tests/calibration/test_steps.py",
    "sorter calibrate thresholds --reviewed": "tests/calibration/scores/test_reviewed.py",
    "sorter calibrate actuators": "tests/calibration/test_flaps.py",
    "sorter teach --images photos/": "tests/end_to_end/test_own_photographs.py",
    "sorter teach glass": "tests/calibration/teaching/test_teach.py",
    "sorter benchmark --compare": "tests/edge/benchmark/test_report.py",
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that the lines name, entered for as long as they run."""
    folder = tmp_path_factory.mktemp("readme")
    _lay_out(folder)
    state = {"STATE_DIRECTORY": str(folder / "state")}
    gather()
    with chdir(folder), mock.patch.dict(os.environ, state):
        ran = CliRunner().invoke(sorter, ["run", "--config", "sorter.toml", "--json"])
        assert ran.exit_code == 0, ran.output
        yield folder


def _lay_out(folder: Path) -> None:
    (folder / "sorter.toml").write_text(CONFIG, encoding="utf-8")
    stage = load_stage()
    pictures = {item.source: item.picture for item in stage.items}
    _write(folder / "can.jpg", pictures["crushed_can"])
    _write(folder / "bottle.jpg", pictures["green_bottle"])
    for number, item in enumerate((*stage.items, *stage.items)):
        (folder / "photos" / item.label).mkdir(parents=True, exist_ok=True)
        _write(folder / "photos" / item.label / f"{number}.jpg", item.picture)
    for name in ("batteries", "empty"):
        (folder / name).mkdir()
    for number in range(3):
        _write(folder / "empty" / f"{number}.jpg", stage.empty)
        _write(folder / "batteries" / f"{number}.jpg", cv2.rotate(pictures["tin_can"], number))
    plan = Plan(hand_only_share=0, rest_s=(1.0, 1.2), lead_s=1.0)
    items = [cut_out(item.picture, item.label, item.source) for item in stage.items[:2]]
    write_clip(Scene(items, stage.empty, plan, Conditions(), seed=1), folder / "clip.mp4")
    shutil.copytree(DEFAULT_BUNDLE, folder / "my-bundle")
    manifest = folder / "my-bundle" / MANIFEST  # another model than the shipped one
    name = load_bundle(DEFAULT_BUNDLE).manifest.name
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(f'"{name}"', '"mine"', 1), encoding="utf-8")
    shutil.make_archive(str(folder / "model"), "zip", folder / "my-bundle")


def _write(path: Path, picture: Image) -> None:
    cv2.imwrite(str(path), picture[..., ::-1])


def _where(line: str) -> str | None:
    """Where a line that is not run here is run: by the longest beginning that `ELSEWHERE` knows."""
    known = [beginning for beginning in ELSEWHERE if f"{line} ".startswith(f"{beginning} ")]
    return ELSEWHERE[max(known, key=len)] if known else None


def test_every_line_of_the_shell_blocks_is_run_here_or_elsewhere() -> None:
    assert [line for line in shell_lines() if line not in HERE and _where(line) is None] == []
    assert [line for line in HERE if line not in shell_lines()] == []
    assert [place for place in ELSEWHERE.values() if not (CHECKOUT / place).exists()] == []


@pytest.mark.parametrize("line", HERE)
def test_a_line_of_the_readme_runs(line: str, workplace: Path) -> None:
    if line == "sorter correct 1842 glass":  # a number of the reader's own
        line = f"sorter correct {_last_seq()} glass"
    ran = _call(f"{line} {HERE.get(line, '')}")
    assert ran.exit_code == 0, f"{line}\n{ran.output}\n{ran.exception!r}"
    assert ran.output, f"{line} said nothing"
    assert workplace.is_dir()


def _call(line: str) -> Result:
    return CliRunner().invoke(sorter, shlex.split(line)[1:])


def _last_seq() -> int:
    return max(json.loads(line)["seq"] for line in _call("sorter events --json").output.splitlines())
