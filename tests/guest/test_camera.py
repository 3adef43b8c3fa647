"""A real V4L2 driver: what it makes of the settings, and what the bin makes of its pictures."""

from __future__ import annotations

from tests.guest.bins import check_decisions, decisions, set_scene
from tests.guest.guest import Guest


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
