"""The guest itself: what the other tests stand on."""

from __future__ import annotations

from random import Random

from tests.guest.guest import Guest


def test_a_power_cut_loses_by_chance_what_was_not_flushed_and_nothing_else(guest: Guest) -> None:
    write = "dd if=/dev/urandom of=/dev/vdb bs=4k count=256 oflag=direct status=none"
    guest("sh", "-c", f"{write} conv=fsync && {write} seek=256")
    flushed, hasty = blocks(guest, 0), blocks(guest, 256)

    num_unflushed, num_lost = guest.cut(Random(1))  # noqa: S311 - which writes, not which secrets
    guest.wake()

    assert blocks(guest, 0) == flushed
    assert blocks(guest, 256) != hasty
    assert num_unflushed == 256
    assert 64 < num_lost < 192


def blocks(guest: Guest, first: int) -> str:
    """What 256 blocks of the data disk hold, in short."""
    return guest("sh", "-c", f"dd if=/dev/vdb bs=4k count=256 skip={first} iflag=direct status=none | sha256sum")


def test_a_line_has_two_sides(guest: Guest) -> None:
    chip = guest("sh", "-c", "cd /sys/bus/gpio/devices && ls")
    assert chip.split() == ["gpiochip0"]
    free = 4  # the bin holds the others
    guest("/opt/sorter/bin/python", "-c", (
        f"import lgpio; c = lgpio.gpiochip_open(0); lgpio.gpio_claim_output(c, {free}, 0);"
        f"lgpio.gpio_write(c, {free}, 1); lgpio.gpio_write(c, {free}, 0)"
    ))  # fmt: skip
    assert [change.is_on for change in guest.lines.changes() if change.line == free] == [False, True, False]
    guest.lines.pull(5, up=True)
    assert guest.lines.is_on(5)
