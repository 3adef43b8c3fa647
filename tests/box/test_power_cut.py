"""The plug is pulled `--cuts` times at random moments; the disk under the command forgets what was not flushed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.models.store import ModelStore, Role
from tests.box.plug import Plug

SORTER = (sys.executable, "-c", "from edge.cli import main; main()")
BINS = """
[camera]
backend = "simulated"
num_items = 1000
[bins.recycling]
labels = ["glass", "metal", "plastic"]
actuator = { kind = "log" }
[bins.rest]
labels = ["cardboard", "paper", "trash"]
takes_unknown = true
actuator = { kind = "log" }
"""


@pytest.fixture
def num_cuts(request: pytest.FixtureRequest) -> int:
    num_cuts = int(request.config.getoption("--cuts"))
    if not num_cuts:
        pytest.skip("needs root and qemu-storage-daemon: pytest tests/box/test_power_cut.py --cuts 20")
    return num_cuts


@pytest.fixture
def plug(num_cuts: int) -> Iterator[Plug]:
    assert num_cuts
    with tempfile.TemporaryDirectory(prefix="plug-") as folder:
        plug = Plug(Path(folder))
        yield plug
        plug.pull(Random(0))  # noqa: S311 - which writes, not which secrets


def test_the_disk_keeps_what_was_flushed_and_nothing_else(plug: Plug) -> None:
    """What the other tests stand on."""
    plug.plug_in()
    careful, hasty = plug.mount / "careful", plug.mount / "hasty"
    with careful.open("wb") as file:
        file.write(b"x" * 4096)
        os.fsync(file.fileno())
    hasty.write_bytes(b"x" * 4096)
    plug.pull(Random(1))  # noqa: S311 - which writes, not which secrets
    plug.plug_in()
    assert careful.stat().st_size == 4096
    assert not hasty.exists()


def start(plug: Plug, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*SORTER, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(plug),
    )  # fmt: skip


def install(plug: Plug, bundle: str) -> None:
    subprocess.run([*SORTER, "model", "install", bundle], check=True, capture_output=True, env=environment(plug))


def environment(plug: Plug) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(plug.mount)}


def wait_for(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it ends within this time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(process: subprocess.Popen[str]) -> str:
    """What it had still said; with the machine goes everything that runs on it."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    with process.stdout as stream:
        said = stream.read()
    process.wait()
    return said


def kept(plug: Plug) -> list[dict[str, Any]]:
    """All that the journal holds, in order, once it is found to be whole."""
    with closing(sqlite3.connect(plug.mount / "sorter" / "journal.sqlite")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [json.loads(record) for (record,) in journal.execute("SELECT record FROM decisions ORDER BY seq")]


def test_no_decision_that_was_told_is_lost_and_none_is_there_twice(plug: Plug, num_cuts: int, tmp_path: Path) -> None:
    chance = Random(8)  # noqa: S311
    config = tmp_path / "sorter.toml"
    config.write_text(BINS, encoding="utf-8")
    told: list[str] = []
    for _ in range(num_cuts):
        plug.plug_in()
        process = start(plug, "run", "--json", "--config", str(config))
        assert process.stdout is not None
        told += islice(process.stdout, chance.randint(1, 3))
        wait_for(process, chance.uniform(0.0, 1.0))
        told += kill(process).splitlines()
        plug.pull(chance)
    plug.plug_in()
    decided = kept(plug)
    assert [one["seq"] for one in decided] == list(range(1, len(decided) + 1))
    assert len({one["id"] for one in decided}) == len(decided)
    assert {json.loads(line)["id"] for line in told} <= {one["id"] for one in decided}
    assert len(told) >= num_cuts


@pytest.fixture
def offers(tmp_path: Path) -> list[str]:
    """The shipped model under two names."""
    manifest = load_bundle(DEFAULT_BUNDLE).manifest
    folders = []
    for name in ("first", "second"):
        folder = tmp_path / name
        subprocess.run(["cp", "-r", DEFAULT_BUNDLE, folder], check=True)
        renamed = manifest.model_copy(update={"name": name})
        (folder / "manifest.json").write_text(renamed.model_dump_json(by_alias=True), encoding="utf-8")
        folders.append(str(folder))
    return folders


def test_a_cut_in_an_installation_leaves_the_old_model_or_the_new_one_whole(
    plug: Plug, num_cuts: int, offers: list[str]
) -> None:
    chance = Random(4)  # noqa: S311
    store = ModelStore(plug.mount / "sorter" / "models")
    plug.plug_in()
    install(plug, offers[0])
    num_interrupted = 0
    for _ in range(num_cuts):
        before = store.path_of(Role.ACTIVE)
        assert before is not None
        offered = next(folder for folder in offers if load_bundle(Path(folder)).short_name != before.name)
        process = start(plug, "model", "install", offered)
        num_interrupted += not wait_for(process, chance.uniform(0.3, 2.5))
        kill(process)
        plug.pull(chance)
        plug.plug_in()
        after = store.path_of(Role.ACTIVE)
        assert after is not None
        assert after.name in (before.name, load_bundle(Path(offered)).short_name)
        for name in store.names():
            load_bundle(store.folder / name)
    assert num_interrupted
    install(plug, offers[1])
