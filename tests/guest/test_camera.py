"""A real V4L2 driver: what it makes of the settings, its pictures, and its faults."""

from __future__ import annotations

import re

import pytest

from tests.box.box import CONFIG, SORTER
from tests.guest.bins import READY_S, check_decisions, decisions, set_scene
from tests.guest.guest import Guest

DRIVER = "/sys/bus/platform/drivers/vivid"
# `[  112.031337] box sorter[612]: …`, as the guest's clock counts that nothing can set.
_LINE = re.compile(r"\[\s*(\d+\.\d+)\] \S+ \S+: (.*)")


def test_the_service_is_ready_and_tells_what_the_driver_made_of_its_settings(guest: Guest) -> None:
    assert guest.shown("ActiveState") == "active"
    found = guest("v4l2-ctl", "--get-fmt-video", "--get-parm")
    assert "Width/Height      : 320/180" in found
    assert "'BGR3'" in found
    assert "5.000" in found
    assert "asked for MJPG, the driver gives BGR3" in guest.log()


def test_each_thing_that_is_shown_is_decided_once_and_moves_its_flap(guest: Guest) -> None:
    for number in (1, 2):
        set_scene(guest, show_square=1)
        guest.until_moved(number)
        set_scene(guest, show_square=0)
        guest("sleep", "3")
    guest("systemctl", "stop", "sorter")
    assert [decision["seq"] for decision in decisions(guest)] == [1, 2]
    check_decisions(guest)


@pytest.mark.parametrize(
    ("fault", "name", "mend"),
    [
        (f"echo vivid.0 > {DRIVER}/unbind", "unplugged", f"echo vivid.0 > {DRIVER}/bind"),
        ("v4l2-ctl -c percentage_of_dropped_buffers=100", "stalled", "v4l2-ctl -c percentage_of_dropped_buffers=0"),
    ],
    ids=["unplugged", "no pictures"],
)
def test_a_fault_is_noticed_in_two_seconds_named_and_mended(guest: Guest, fault: str, name: str, mend: str) -> None:
    main = guest.shown("MainPID")
    happened_s = float(guest("sh", "-c", f"cut -d' ' -f1 /proc/uptime; {fault}"))
    guest.until_logged(f"camera {name}: ", READY_S)
    assert said_at_s(guest, f"camera {name}: ") - happened_s < 2.0
    guest("sh", "-c", mend)
    guest.until_logged("camera works again", READY_S)
    assert guest.shown("MainPID") == main


def test_a_camera_that_the_service_has_is_busy_for_anybody_else(guest: Guest) -> None:
    guest.until("ActiveState", "active", READY_S)
    told = guest("sh", "-c", f"{SORTER} record /root/case --config {CONFIG} --seconds 1 2>&1; echo exit code $?")
    assert "another program has the camera /dev/video0" in told
    assert told.rstrip().endswith("exit code 75")
    assert guest("sh", "-c", "ls /root/case 2>/dev/null || true").strip() == ""


def said_at_s(guest: Guest, words: str) -> float:
    """When the service first said something, in seconds since the guest's boot."""
    log = guest("journalctl", "-u", "sorter", "-o", "short-monotonic", "--no-pager")
    return next(float(line[1]) for line in map(_LINE.match, log.splitlines()) if line and words in line[2])
