"""What the machine around a bin can do to it: another clock, a disk that turns read-only."""

from __future__ import annotations

from tests.guest.bins import READY_S, STATE, begin, check_decisions, moved, show_items
from tests.guest.guest import Guest


def test_a_clock_that_jumps_by_years_disturbs_nobody(guest: Guest) -> None:
    main = guest.shown("MainPID")
    show_items(guest)
    for num_moved, jump in ((1, "+5 years"), (2, "-12 years"), (3, "+7 years")):
        guest.until_moved(num_moved)
        guest("date", "--set", jump)
    guest.until_moved(4)
    assert (guest.shown("MainPID"), guest.shown("NRestarts")) == (main, "0")
    guest("systemctl", "stop", "sorter")
    check_decisions(guest)


def test_nothing_moves_while_the_disk_is_read_only_and_the_bin_goes_on_once_it_is_not(guest: Guest) -> None:
    """ext4 turns itself read-only on an error of its disk."""
    guest("systemctl", "stop", "sorter")
    guest("mount", "-o", "errors=remount-ro", "/dev/vdb", STATE)
    begin(guest)
    show_items(guest)
    guest.until_moved(1)
    guest("sh", "-c", "echo broken > /sys/fs/ext4/vdb/trigger_fs_error")
    guest.until_logged("status=74", READY_S)
    num_moved = len(moved(guest))
    guest.until_more("NRestarts", int(guest.shown("NRestarts")) + 1, READY_S)
    assert len(moved(guest)) == num_moved
    guest("sh", "-c", f"systemctl stop sorter; umount {STATE}; e2fsck -p /dev/vdb; mount /dev/vdb {STATE}")
    begin(guest)
    guest.until_moved(num_moved + 1)
    guest("systemctl", "stop", "sorter")
    check_decisions(guest)
