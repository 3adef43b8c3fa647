"""The whole way back after a power cut: kernel, systemd, service. At any moment: tests/box/test_power_cut.py."""

from __future__ import annotations

from random import Random

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


def test_after_a_cut_the_bin_comes_up_by_itself_and_goes_on(off: Guest) -> None:
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
    check_decisions(off)
