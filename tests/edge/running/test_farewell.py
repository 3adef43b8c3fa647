"""A bin ends within the time that its unit allows, whatever hangs, and what moves is made safe first."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from edge.clock import ReplayClock
from edge.config.cameras import UsbCameraSection
from edge.running.farewell import FAREWELL_S, Farewell

UNIT = Path(__file__).parents[3] / "systemd" / "sorter.service"


def test_what_hangs_leaves_time_to_the_others_and_the_last_opened_ends_first() -> None:
    clock, ended = ReplayClock(), list[tuple[str, float]]()
    with Farewell(4.0, clock.now_s) as stack:
        for name in ("broker", "pictures", "page", "flaps"):

            def stop(timeout_s: float, name: str = name) -> None:
                ended.append((name, timeout_s))
                clock.advance_to(clock.now_s() + timeout_s)

            stack.stopping(stop)
        clock.advance_to(1000.0)  # a long day: only the end counts
    assert ended == [("flaps", 2.0), ("page", 1.0), ("pictures", 0.5), ("broker", 0.25)]


def test_the_unit_waits_longer_than_a_tick_and_the_farewell() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    tick_s = UsbCameraSection(backend="usb").max_age_s
    assert tick_s + FAREWELL_S < float(unit["Service"]["TimeoutStopSec"]) == 5.0
