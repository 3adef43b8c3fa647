from __future__ import annotations

from pathlib import Path

import pytest

from edge.benchmark.energy import EnergyMeter
from edge.clock import ReplayClock


def tell(root: Path, name: str, value: int) -> None:
    """What the kernel says."""
    path = root / "sys/class" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n", encoding="ascii")


@pytest.mark.parametrize("name", ["powercap/intel-rapl:0/energy_uj", "hwmon/hwmon3/energy1_input"])
def test_a_counter_tells_what_was_used_in_between(tmp_path: Path, name: str) -> None:
    tell(tmp_path, name, 5_000_000)
    meter = EnergyMeter(tmp_path)
    tell(tmp_path, name, 12_500_000)
    assert meter.joules() == 7.5


def test_a_counter_that_went_round_tells_nothing(tmp_path: Path) -> None:
    tell(tmp_path, "powercap/intel-rapl:0/energy_uj", 5_000_000)
    meter = EnergyMeter(tmp_path)
    tell(tmp_path, "powercap/intel-rapl:0/energy_uj", 1)
    assert meter.joules() is None


def test_a_sensor_of_power_is_added_up(tmp_path: Path) -> None:
    clock = ReplayClock()
    tell(tmp_path, "hwmon/hwmon0/power1_input", 4_000_000)
    meter = EnergyMeter(tmp_path, clock.now_s)
    for now_s in (0.1, 1.0, 1.1, 3.0):  # those a tenth later are too soon to read it again
        clock.advance_to(now_s)
        meter.sample()
    assert meter.joules() == pytest.approx(12.0)
    assert meter.source == "the supply"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    meter.sample()
    assert meter.joules() is None
    assert meter.source == ""
