"""The installed service in a real systemd: ready, watched, restarted, stopped, reloaded, and gone without a trace."""

from __future__ import annotations

import json
import re
import time
from pathlib import PurePosixPath

import pytest

from tests.box.box import CONFIG, SORTER, Box

WATCHDOG_S = 4
FAST = f"[Service]\nWatchdogSec={WATCHDOG_S}\nRestartSec=0.2\n"


@pytest.fixture
def service(box: Box) -> Box:
    """The box with the service at work."""
    box.write("/etc/systemd/system/sorter.service.d/fast.conf", FAST)
    box(SORTER, "service", "install")
    box.until("ActiveState", "active")
    return box


def test_installed_it_is_ready_and_installing_again_leaves_it_alone(service: Box) -> None:
    main = service.shown("MainPID")
    service(SORTER, "service", "install")
    assert service.shown("MainPID") == main
    assert service(SORTER, "service", "status").startswith("ok: active (running)")
    assert service("stat", "-c", "%U %a", "/var/lib/sorter").startswith("sorter")
    assert service("stat", "-c", "%U:%G %a", CONFIG) == "root:sorter 640"


def test_a_loop_that_hangs_is_restarted(service: Box) -> None:
    """Stopped, the process feeds no watchdog, as one that hangs in inference or in a driver does not."""
    service("kill", "-STOP", service.shown("MainPID"))
    took_s = service.until("NRestarts", "1", seconds=WATCHDOG_S + 30)
    assert took_s >= WATCHDOG_S / 2
    service.until("ActiveState", "active")


def test_it_stops_in_five_seconds_and_makes_its_flaps_safe(service: Box) -> None:
    began_s = time.monotonic()
    service("systemctl", "stop", "sorter")
    exited_s = int(service.shown("ExecMainExitTimestampMonotonic")) / 1e6
    assert exited_s - began_s < 5
    assert service.shown("Result") == "success"
    assert service.shown("ExecStopPost").endswith("status=0 }")


def test_killed_again_and_again_it_numbers_its_decisions_without_a_gap(service: Box) -> None:
    for number in range(1, 6):
        time.sleep(3)
        service("systemctl", "kill", "-s", "KILL", "sorter")
        service.until("NRestarts", str(number))
        service.until("ActiveState", "active")
    service("systemctl", "stop", "sorter")
    lines = service(SORTER, "events", "--json", "--limit", "1000").splitlines()
    seqs = sorted(json.loads(line)["seq"] for line in lines)
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_reload_keeps_the_process_and_a_wrong_configuration_keeps_the_bin(service: Box) -> None:
    main = service.shown("MainPID")
    kept = service("cat", CONFIG)
    service.write(CONFIG, kept.replace('"bin"', '"BIN!"'))
    service("systemctl", "reload", "sorter")
    service.until_logged("not reloaded, the bin goes on as it was")
    service.write(CONFIG, kept.replace('"bin"', '"hall"'))
    service("systemctl", "reload", "sorter")
    service.until_logged("read again")
    service.until("ActiveState", "active")
    assert service.shown("MainPID") == main


def test_a_wrong_configuration_is_not_tried_for_ever(service: Box) -> None:
    service("systemctl", "stop", "sorter")
    service.write(CONFIG, "[camera]\nbackend = 'nonsense'\n")
    service("systemctl", "start", "sorter", is_checked=False)
    service.until("ActiveState", "failed")
    assert service.shown("ExecMainStatus") == "78"
    assert service.shown("NRestarts") == "0"


def test_a_full_disk_stops_no_more_than_it_must(service: Box) -> None:
    """Decisions that cannot be written down are not made; with room again the bin goes on by itself."""
    service("systemctl", "stop", "sorter")
    service("mount", "-t", "tmpfs", "-o", "size=400k,uid=sorter,gid=sorter", "tmpfs", "/var/lib/sorter")
    service("sh", "-c", "head -c 390k /dev/zero > /var/lib/sorter/full; true")
    service("systemctl", "start", "sorter", is_checked=False)
    time.sleep(8)
    service("umount", "-l", "/var/lib/sorter")
    service.until("ActiveState", "active", seconds=90)


def test_uninstalled_nothing_is_left(service: Box) -> None:
    service(SORTER, "service", "uninstall", "--purge")
    left = service("find", "/etc", "/var/lib", "/var/cache", "/run", "-name", "*sorter*").splitlines()
    drop_in = PurePosixPath("/etc/systemd/system/sorter.service.d")  # this test's own
    assert [path for path in left if PurePosixPath(path) != drop_in] == []
    assert "sorter" not in service("getent", "passwd")


def test_its_exposure_is_low_in_a_real_systemd(service: Box) -> None:
    verdict = service("systemd-analyze", "security", "sorter", "--no-pager").splitlines()[-1]
    exposure = re.search(r"Overall exposure level for sorter.service: ([0-9.]+)", verdict)
    assert exposure is not None
    assert float(exposure[1]) <= 2.5


def test_a_service_without_its_camera_stays_up_and_says_so(service: Box) -> None:
    service.write(CONFIG, "schema = 1\n[camera]\nbackend = 'usb'\ndevice = '/dev/video9'\n")
    service("systemctl", "restart", "sorter")
    time.sleep(2 * WATCHDOG_S)
    assert (service.shown("ActiveState"), service.shown("NRestarts")) == ("active", "0")
    told = service(SORTER, "service", "status", is_checked=False)
    assert told.startswith("warning: active (running), 0 restarts; camera unplugged: no camera at /dev/video9")
    service("systemctl", "stop", "sorter")
    assert service(SORTER, "service", "status", is_checked=False).startswith("warning: inactive (dead)")


def test_what_doctor_advises_tells_why_it_is_started_again_and_again(service: Box) -> None:
    service.write(CONFIG, "schema = 1\n[journal]\npath = '/usr/kept/journal.sqlite'\n")
    service("systemctl", "restart", "--no-block", "sorter")
    service.until_more("NRestarts", 1)
    told = service(SORTER, "service", "status", is_checked=False)
    advised = told.partition("; sudo ")[2].removesuffix(" tells why")
    assert "error: /usr/kept/journal.sqlite: expected a folder that can be written to" in service("sh", "-c", advised)


def test_a_journal_that_the_card_has_damaged_is_put_aside(service: Box) -> None:
    service("systemctl", "stop", "sorter")
    journal = "/var/lib/sorter/journal.sqlite"
    service("sh", "-c", f"dd if=/dev/urandom of={journal} bs=1024 seek=1 count=8 conv=notrunc")
    service("systemctl", "start", "sorter")
    service.until("ActiveState", "active")
    assert service("stat", "-c", "%U %a", "/var/lib/sorter/journal.damaged-1.sqlite") == "sorter 640"
    assert "journal.damaged-1.sqlite" in service.log()
