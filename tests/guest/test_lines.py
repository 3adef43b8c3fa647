"""Real lines: what a decision moves, and how they are left whatever ends the bin.

`guest.lines` is their far side: `is_on`, `pull` for switches and light barriers, and `changes`, every level
that the kernel was asked to give.
"""

from __future__ import annotations

from itertools import pairwise

from tests.guest.bins import PINS, READY_S, WATCHING, change, check_decisions, moved, set_unit, show_items
from tests.guest.guest import Guest

LONG = WATCHING.replace("pulse_s = 0.3", "pulse_s = 30.0")


def test_each_decision_pulses_the_line_of_its_bin_once_for_as_long_as_it_should(guest: Guest) -> None:
    show_items(guest)
    guest.until_moved(3)
    guest("systemctl", "stop", "sorter")
    check_decisions(guest)
    for line in set(moved(guest)):
        changes = [one for one in guest.lines.changes() if one.line == line]
        lengths_s = [after.at_s - before.at_s for before, after in pairwise(changes) if before.is_on]
        # The last one may have been cut short by the stop.
        assert all(0.29 < length_s < 0.4 for length_s in lengths_s[:-1]), lengths_s


def test_a_bin_that_is_stopped_while_a_line_is_on_switches_it_off_itself(guest: Guest) -> None:
    change(guest, LONG)
    show_items(guest)
    guest.until_moved(1)
    guest("systemctl", "stop", "sorter")
    assert guest.shown("Result") == "success"
    changes = guest.lines.changes()
    on = next(one for one in changes if one.is_on)
    off = next(one for one in changes[changes.index(on) :] if one.line == on.line and not one.is_on)
    assert off.at_s - on.at_s < 30.0
    assert levels(guest) == dict.fromkeys(PINS.values(), False)


def test_a_bin_that_is_killed_while_a_line_is_on_is_made_safe_by_its_unit(guest: Guest) -> None:
    """Relays that are on while their line is low, which is what a line falls to when nobody holds it."""
    change(guest, LONG.replace("pulse_s = 30.0", "pulse_s = 30.0, active_high = false"))
    guest.wait(lambda: levels(guest) == dict.fromkeys(PINS.values(), True), READY_S)
    num_before = len(guest.lines.changes())
    set_unit(guest, "Restart=no")
    show_items(guest)
    guest.until_moved(1, is_on=False, after=num_before)
    guest("systemctl", "kill", "-s", "KILL", "sorter")
    guest.until("ActiveState", "failed", READY_S)
    assert guest.shown("ExecStopPost").endswith("status=0 }")
    assert levels(guest) == dict.fromkeys(PINS.values(), True)


def levels(guest: Guest) -> dict[int, bool]:
    """What each line was last told to be."""
    return {one.line: one.is_on for one in guest.lines.changes()}
