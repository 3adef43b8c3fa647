"""The plug is pulled at random moments, `--cuts` times, on a disk that forgets what was not flushed."""

from __future__ import annotations

import json
import time
from random import Random

import pytest

from tests.box.box import SORTER
from tests.guest.bins import (
    COUNTER_ONLY,
    GRAY_RAMP,
    READY_S,
    STATE,
    begin,
    check_decisions,
    moved,
    set_scene,
    show_items,
)
from tests.guest.guest import Guest

INTEGRITY = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"


@pytest.fixture
def num_cuts(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cuts"))


def test_no_decision_that_moved_a_flap_is_lost_doubled_or_missing_in_the_count(off: Guest, num_cuts: int) -> None:
    chance = Random(8)  # noqa: S311 - which moments, not which secrets
    num_moved = 0
    for _ in range(num_cuts):
        wake_with_data(off)
        begin(off)
        show_items(off)
        off.until_moved(num_moved + chance.randint(1, 3))
        time.sleep(chance.uniform(0.0, 1.0))
        off.cut(chance)
        num_moved = len(moved(off))
    wake_with_data(off)
    check_journal(off)
    assert num_moved >= num_cuts


def test_after_a_cut_the_bin_comes_up_by_itself_and_goes_on(off: Guest) -> None:
    """The whole way: plug out, plug in, kernel, systemd, service."""
    off.wake()
    off("sh", "-c", f"systemctl stop sorter; echo '/dev/vdb {STATE} ext4 noatime 0 2' >> /etc/fstab; mount -a")
    begin(off)
    off("sync")
    show_items(off)
    off.until_moved(2)
    off.cut(Random(3))  # noqa: S311
    num_moved = len(moved(off))
    off.boot()
    off.until("ActiveState", "active", READY_S)
    set_scene(off, test_pattern=GRAY_RAMP, osd_text_mode=COUNTER_ONLY)
    show_items(off)
    off.until_moved(num_moved + 1)
    check_journal(off)


def test_a_cut_in_an_installation_leaves_the_old_model_or_the_new_one_whole(off: Guest, num_cuts: int) -> None:
    chance = Random(4)  # noqa: S311
    wake_with_data(off)
    old = install(off, offer(off, "old"))
    new = offer(off, "new")
    off("sync")
    num_interrupted = 0
    for _ in range(num_cuts):
        off("systemd-run", "--unit=installing", SORTER, "model", "install", new)
        waiting = f"while systemctl -q is-active installing && ! ls -d {STATE}/models/.incoming-*; do sleep 0.1; done"
        off("sh", "-c", waiting)
        time.sleep(chance.uniform(0.0, 3.0))
        num_interrupted += off("systemctl", "is-active", "installing", is_checked=False) == "active"
        off.cut(chance)
        wake_with_data(off)
        active = status(off)["active"]
        off(SORTER, "model", "verify", f"{STATE}/models/{active}")
        off(SORTER, "model", "list", f"{STATE}/models")
        if active != old:
            break
    assert num_interrupted
    assert install(off, new) == status(off)["active"] != old


def wake_with_data(guest: Guest) -> None:
    guest.wake()
    guest("systemctl", "stop", "sorter")
    guest("mount", "/dev/vdb", STATE)


def check_journal(guest: Guest) -> None:
    assert guest("/opt/sorter/bin/python", "-c", INTEGRITY, f"{STATE}/journal.sqlite") == "ok"
    check_decisions(guest)


def offer(guest: Guest, name: str) -> str:
    """The shipped model under another name, on the data disk."""
    folder = f"{STATE}/{name}"
    guest("sh", "-c", (
        f"cp -r /opt/sorter/lib/python3*/site-packages/edge/bundles/default {folder};"
        f" sed -i '0,/\"name\": *\"/s//&{name}-/' {folder}/manifest.json; sync"
    ))  # fmt: skip
    return folder


def install(guest: Guest, offered: str) -> str:
    """The name of the model that is active then."""
    guest(SORTER, "model", "install", offered)
    return str(status(guest)["active"])


def status(guest: Guest) -> dict[str, object]:
    found: dict[str, object] = json.loads(guest(SORTER, "model", "status", "--json"))
    return found
