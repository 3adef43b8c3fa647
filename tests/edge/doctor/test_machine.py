"""The computer under the lid, from a /proc and a /sys as a Raspberry Pi in trouble shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.doctor.finding import Finding, Level
from edge.doctor.machine import Machine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """A machine whose kernel says what the given files hold."""

    def make(files: dict[str, str], now: datetime = NOW) -> Machine:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="ascii")
        return Machine(tmp_path, now)

    return make


def levels(findings: Iterable[Finding]) -> list[Level]:
    """How bad each finding is, after checking that whoever complains also says what to do."""
    found = list(findings)
    assert all(finding.advice for finding in found if finding.level is not Level.OK)
    return [finding.level for finding in found]


@pytest.mark.parametrize(
    ("millidegrees", "level"), [("51540", Level.OK), ("76000", Level.WARNING), ("85200", Level.FAILURE)]
)
def test_temperature(machine: Callable[..., Machine], millidegrees: str, level: Level) -> None:
    zones = {
        "sys/class/thermal/thermal_zone0/temp": "40000\n",
        "sys/class/thermal/thermal_zone1/temp": f"{millidegrees}\n",
    }
    assert levels(machine(zones).temperature()) == [level]


@pytest.mark.parametrize(
    ("flags", "level", "words"),
    [
        ("0", Level.OK, "steady"),
        ("50000", Level.WARNING, "since it was switched on: under-voltage, throttled"),
        ("50005", Level.FAILURE, "now: under-voltage, throttled"),
    ],
)
def test_power(machine: Callable[..., Machine], flags: str, level: Level, words: str) -> None:
    (finding,) = machine({"sys/devices/platform/soc/soc:firmware/get_throttled": flags}).power()
    assert finding.level is level
    assert words in finding.found


@pytest.mark.parametrize(
    ("kilobytes", "level"), [(900_000, Level.OK), (200_000, Level.WARNING), (50_000, Level.FAILURE)]
)
def test_memory(machine: Callable[..., Machine], kilobytes: int, level: Level) -> None:
    meminfo = f"MemTotal:  1000000 kB\nMemFree: 10 kB\nMemAvailable:  {kilobytes} kB\n"
    assert levels(machine({"proc/meminfo": meminfo}).memory()) == [level]


def test_a_clock_that_was_never_set_is_a_failure(machine: Callable[..., Machine]) -> None:
    assert levels(machine({}, datetime(1970, 1, 3, tzinfo=UTC)).clock()) == [Level.FAILURE]
    assert levels(machine({}).clock()) == [Level.OK]


def test_a_clock_that_waits_for_the_network_is_a_warning(machine: Callable[..., Machine]) -> None:
    files = {"run/systemd/system/x": "", "proc/412/comm": "systemd-timesyncd"[:15] + "\n"}
    assert levels(machine(files).clock()) == [Level.WARNING]
    assert levels(machine({"run/systemd/timesync/synchronized": ""}).clock()) == [Level.OK]


def test_writes_are_counted_for_disks_that_wear_out(machine: Callable[..., Machine]) -> None:
    """512-byte sectors written are the seventh number of /sys/block/*/stat (kernel's block/stat.rst)."""
    stat = "1 2 3 4 5 6 {} 8 9 10 11 12 13 14 15 16 17"
    files = {
        "proc/uptime": "86400.00 100.00",
        "sys/block/mmcblk0/stat": stat.format(8_000_000),
        "sys/block/zram0/stat": stat.format(99_000_000),
    }
    (finding,) = machine(files).writes()
    assert finding.level is Level.WARNING
    assert finding.found.startswith("mmcblk0: 4096 MB")


def test_wear_of_an_emmc(machine: Callable[..., Machine]) -> None:
    path = "sys/block/mmcblk0/device/life_time"
    assert levels(machine({path: "0x01 0x02\n"}).wear()) == [Level.OK]
    assert levels(machine({path: "0x0a 0x09\n"}).wear()) == [Level.WARNING]


def test_a_machine_that_tells_nothing_is_passed_over(machine: Callable[..., Machine]) -> None:
    bare = machine({})
    for check in (bare.temperature, bare.power, bare.memory, bare.writes, bare.wear, bare.service):
        assert list(check()) == []


def test_the_disk_of_a_folder_that_is_not_there_yet(machine: Callable[..., Machine], tmp_path: Path) -> None:
    assert levels(machine({}).disk(tmp_path / "not" / "yet")) == [Level.OK]


@pytest.mark.parametrize(
    ("state", "level", "advice"),
    [
        ("ActiveState=active\nSubState=running\nNRestarts=0\nStatusText=\n", Level.OK, ""),
        ("ActiveState=active\nSubState=running\nNRestarts=2\nStatusText=camera black: a = b\n", Level.WARNING, "a = b"),
        ("ActiveState=activating\nSubState=auto-restart\nNRestarts=2\nStatusText=old\n", Level.WARNING, "tells why"),
        ("ActiveState=inactive\nSubState=dead\nNRestarts=0\nStatusText=old\n", Level.WARNING, "systemctl start"),
        ("ActiveState=failed\nSubState=failed\nNRestarts=0\nStatusText=old\n", Level.FAILURE, "tells why"),
    ],
)
def test_a_service_that_does_not_run_or_says_that_something_is_wrong_is_no_good_one(
    machine: Callable[..., Machine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    level: Level,
    advice: str,
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\ncat <<'END'\nLoadState=loaded\n{state}END\n", encoding="utf-8")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (finding,) = machine({"run/systemd/system/private": ""}).service()
    assert (finding.level, advice in finding.advice) == (level, True)
