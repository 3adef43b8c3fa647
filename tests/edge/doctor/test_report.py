"""The whole examination, on the real machine with the shipped model."""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from calibration.site.site_file import SiteFolder
from edge.clock import SystemClock
from edge.commands.doctor import doctor
from edge.config import load_config
from edge.doctor.bin import accelerator, page
from edge.doctor.finding import Finding, Level, examine, ok
from edge.doctor.report import unless_in_use
from edge.drift import fingerprint, sharpness
from edge.errors import TryAgainError, UnavailableError
from edge.journal import Journal
from edge.messages import Image, InputSpec
from edge.preprocess import resize
from edge.site import BackgroundStep, part_name
from edge.web.listening import listen_at


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of whoever runs the tests, in which others may be at work."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def findings_of(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and what `doctor --json` finds by topic."""
    answer = CliRunner().invoke(doctor, ["--json", *arguments])
    assert answer.stdout, answer.exc_info
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


def test_a_scene_out_of_focus_is_sent_to_the_meter_that_shows_the_same_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    floor = resize(a_floor(), InputSpec(720, 1280))
    blurred = cv2.GaussianBlur(floor, (0, 0), 16) + rng.normal(0, 2, floor.shape)  # a sensor's noise is no structure
    picture = np.clip(blurred, 0, 255).astype(np.uint8)
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture[..., ::-1])
    _, found = findings_of("--set", "camera.backend=replay", "--set", f"camera.source={tmp_path}")
    assert found["light"]["level"] == "warning"
    assert f"sharpness {sharpness(picture):.1f}" in found["light"]["found"]
    assert "sharpness meter" in found["light"]["advice"]


def test_an_even_ground_within_a_sharp_picture_is_not_taken_for_a_lens_out_of_focus(tmp_path: Path) -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[:, :300:20] = 20  # a grating beside it
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    places = ("camera.backend=replay", f"camera.source={tmp_path}", "presence.region.left=0.5")
    _, found = findings_of(*(word for place in places for word in ("--set", place)))
    assert found["light"]["level"] == "ok"
    assert "mean level 120" in found["light"]["found"]


def a_floor() -> Image:
    """Stripes and blots: an empty scene with enough structure to tell where the camera stands."""
    rng = np.random.default_rng(3)
    blots = cv2.resize(rng.integers(60, 180, (24, 32, 3), np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(blots, (0, 0), 2.0), np.uint8)


def keep(site: Path, empty: Image) -> None:
    """A site file that knows the empty scene."""
    picture = cv2.imencode(".png", empty[..., ::-1])[1].tobytes()
    variation = cv2.imencode(".png", np.full((120, 160), 100, np.uint16))[1].tobytes()
    parts = {part_name("background.png", picture): picture, part_name("variation.png", variation): variation}
    step = BackgroundStep(
        made_at=datetime(2026, 11, 21, tzinfo=UTC),
        picture=next(iter(parts)),
        variation=list(parts)[1],
        num_frames=8,
        fingerprint=fingerprint(empty),
    )
    SiteFolder(site).change(lambda old: old.model_copy(update={"background": step}), parts)


def doctor_on(folder: Path, now: Image, *settings: str) -> dict[str, str]:
    """What the doctor says of the scene at a bin that was calibrated on `a_floor` and sees `now`."""
    pictures, site = folder / "now", folder / "site"
    pictures.mkdir()
    for number in range(4):
        cv2.imwrite(str(pictures / f"{number}.png"), now[..., ::-1])
    keep(site, a_floor())
    places = (f"camera.source={pictures}", f"site={site}", "camera.backend=replay", *settings)
    return findings_of(*(word for place in places for word in ("--set", place)))[1]["scene"]


def test_a_scene_that_is_as_it_was_is_well(tmp_path: Path) -> None:
    found = doctor_on(tmp_path, a_floor())
    assert found["level"] == "ok"
    assert "brightness 100%" in found["found"]


def test_a_scene_that_has_changed_beside_the_region_is_well(tmp_path: Path) -> None:
    beside = cv2.circle(a_floor().copy(), (100, 200), 90, (20, 20, 20), cv2.FILLED)
    assert doctor_on(tmp_path, beside, "presence.region.left=0.5")["level"] == "ok"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda image: np.roll(image, 12, axis=1), "camera moved 12 px left"),
        (lambda image: image // 8, "lamp off: the empty scene is dark"),
        (lambda image: (image * np.array([1.0, 1.0, 0.7])).astype(np.uint8), "color shifted towards red"),
        (lambda image: cv2.circle(image.copy(), (300, 200), 90, (20, 20, 20), cv2.FILLED), "lens dirty"),
    ],
)
def test_a_scene_that_has_changed_is_said_in_words(tmp_path: Path, change: Callable[[Image], Image], word: str) -> None:
    found = doctor_on(tmp_path, change(a_floor()))
    assert found["level"] == "warning"
    assert found["found"].startswith(word)
    assert found["advice"]


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


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_another_program_has_is_a_warning(host: str) -> None:
    with listen_at(host, 0) as taken:
        taken_port = taken.getsockname()[1]
        config = load_config(None, [f"web.host={host}", f"web.port={taken_port}"], {})
        (found,) = page(config)
    assert (found.topic, found.level) == ("page", "warning")
    assert f"port {taken_port}: another program has it" in found.found
    (found,) = page(config)
    assert found.level == "ok"


def test_a_page_without_its_library_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bin would not start."""
    monkeypatch.delitem(sys.modules, "edge.web.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    (found,) = examine("page", lambda: page(load_config(None, ["web.port=0"], {})))
    assert (found.level, found.found) == ("failure", "the page needs uvicorn, which is not installed")
    assert found.advice == "pip install '.[web]' in sorter's folder"


def test_a_page_at_an_address_that_is_none_of_this_machine_is_a_warning() -> None:
    """The bin waits for it, in case that the network is away: a slip of the keyboard is told here."""
    (found,) = page(load_config(None, ["web.host=192.0.2.1"], {}))
    assert (found.topic, found.level) == ("page", "warning")
    assert found.found == "web: cannot listen on 192.0.2.1 port 8765: that is no address of this machine"


def test_what_the_running_bin_has_at_work_is_no_failure(tmp_path: Path) -> None:
    config = load_config(None, [f"journal.path={tmp_path / 'journal.sqlite'}"], {})

    def busy() -> Iterator[Finding]:
        yield ok("gpio", "line 17 of bins.paper is free")
        raise TryAgainError("pin 22: cannot be claimed")

    with pytest.raises(TryAgainError):
        list(unless_in_use(config, "gpio", busy))
    with closing(Journal(tmp_path / "journal.sqlite", SystemClock())):
        free, at_work = unless_in_use(config, "gpio", busy)
    assert free.found == "line 17 of bins.paper is free"
    assert (at_work.level, at_work.advice[-26:]) == (Level.OK, "sudo systemctl stop sorter")


def test_what_an_error_says_to_do_is_the_advice() -> None:
    def check() -> list[Finding]:
        raise UnavailableError("GPIO expected a Raspberry Pi, found none; name the chip")

    (found,) = examine("gpio", check)
    assert found.advice == "name the chip"


def test_the_archive_holds_no_password(tmp_path: Path) -> None:
    target = tmp_path / "help.tar.gz"
    findings_of(
        "--set",
        "mqtt.host=127.0.0.1",
        "--set",
        "mqtt.port=9",
        "--set",
        "mqtt.username=bin",
        "--set",
        "mqtt.password=hunter2",
        "--pack",
        str(target),
    )
    with tarfile.open(target) as archive:
        contents = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    assert set(contents) == {f"sorter-doctor/{name}" for name in ("doctor.json", "config.json", "journal.txt")}
    assert not any(b"hunter2" in content for content in contents.values())
    assert json.loads(contents["sorter-doctor/config.json"])["mqtt"]["host"] == "127.0.0.1"
    assert json.loads(contents["sorter-doctor/doctor.json"])["findings"]


def test_a_broken_configuration_is_a_finding_among_those_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "sorter.toml"
    path.write_text("[camera]\nbackend = 'nonsense'\n", encoding="utf-8")
    code, found = findings_of("--config", str(path))
    assert code == 1
    assert found["config"]["level"] == "failure"
    assert "nonsense" in found["config"]["found"]
    assert {"software", "clock"} <= set(found)


def test_a_coral_in_a_slow_port(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/usb/devices/1-1"
    device.mkdir(parents=True)
    for name, value in (("idVendor", "18d1"), ("idProduct", "9302"), ("speed", "480")):
        (device / name).write_text(f"{value}\n", encoding="ascii")
    (finding,) = accelerator(tmp_path)
    assert finding.level == "warning"
    assert "USB 3" in finding.advice
