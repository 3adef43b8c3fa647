"""The whole examination, on the real machine with the shipped model."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner

from edge.commands.doctor import doctor
from edge.doctor.bin import accelerator


def findings_of(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and what `doctor --json` finds by topic."""
    answer = CliRunner().invoke(doctor, ["--json", *arguments])
    found = json.loads(answer.stdout)["findings"]
    return answer.exit_code, {finding["topic"]: finding for finding in found}


def test_a_bin_without_a_camera_of_its_own_is_well() -> None:
    exit_code, found = findings_of("--set", "camera.backend=simulated", "--set", "camera.rate_hz=120")
    assert exit_code == 0
    assert {"software", "disk", "config", "model", "camera"} <= set(found)
    assert "golden pictures right" in found["model"]["found"]


def test_a_camera_that_is_not_there_and_labels_without_a_bin_are_failures() -> None:
    exit_code, found = findings_of(
        "--set", "camera.backend=usb", "--set", "camera.device=/dev/none", "--set", 'bins.dry.labels=["metal"]'
    )
    assert exit_code == 1
    assert found["camera"]["level"] == found["config"]["level"] == "failure"


def test_a_dark_scene_wants_a_lamp(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((120, 160, 3), 9, np.uint8))
    _, found = findings_of("--set", "camera.backend=replay", "--set", f"camera.source={tmp_path}")
    assert found["light"]["level"] == "warning"
    assert "lamp" in found["light"]["advice"]


def test_a_broker_that_is_away_is_a_failure() -> None:
    _, found = findings_of(
        "--set",
        "mqtt.host=127.0.0.1",
        "--set",
        "mqtt.port=9",
        "--set",
        "camera.backend=simulated",
        "--set",
        "camera.rate_hz=120",
    )
    assert found["broker"]["level"] == "failure"


def test_the_archive_holds_no_password(tmp_path: Path) -> None:
    target = tmp_path / "help.tar.gz"
    findings_of(
        "--set",
        "mqtt.host=127.0.0.1",
        "--set",
        "mqtt.port=9",
        "--set",
        "mqtt.password=hunter2",
        "--bundle",
        str(target),
    )
    with tarfile.open(target) as archive:
        contents = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    assert set(contents) == {f"sorter-doctor/{name}" for name in ("doctor.json", "config.json", "journal.txt")}
    assert not any(b"hunter2" in content for content in contents.values())


def test_a_coral_in_a_slow_port(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/usb/devices/1-1"
    device.mkdir(parents=True)
    for name, value in (("idVendor", "18d1"), ("idProduct", "9302"), ("speed", "480")):
        (device / name).write_text(f"{value}\n", encoding="ascii")
    (finding,) = accelerator(tmp_path)
    assert finding.level == "warning"
    assert "USB 3" in finding.advice
