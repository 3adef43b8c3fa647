"""What keeps `sorter run` from starting is found by `sorter config validate` first, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.assembly.misfits import misfits
from edge.config import load_config
from edge.errors import ConfigError, MissingInputError


def complaints(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        # The last one is always wrong, so that the others are never alone and keep their places.
        load_config(None, [*overrides, 'bins.dry.labels=["gold"]'], {}, [misfits])
    return str(refusal.value).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.pem").write_text("no certificate", encoding="utf-8")
    return tmp_path


def test_every_label_without_a_bin_and_every_bin_with_a_stranger_is_named() -> None:
    lines = complaints()
    (gold,) = (line for line in lines if "gold" in line)
    assert gold.startswith("--set bins.dry.labels: bins.dry.labels: names 'gold', which the model does not know")
    assert sum("has no bin" in line for line in lines) == 6


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (["mqtt.host=a", "mqtt.ca_file={folder}/none.pem"], "mqtt: {folder}/none.pem: expected a certificate"),
        (["mqtt.host=a", "mqtt.ca_file={folder}/text.pem"], "the certificates cannot be used"),
        (
            ["mqtt.host=a", "mqtt.certificate_file={folder}/text.pem", "mqtt.key_file={folder}/text.pem"],
            "the certificates cannot be used",
        ),
        (["webhook.url=ftp://user:geheim@host"], "webhook: webhook: expected http://host/path"),
        (["webhook.url=http://host:port"], "webhook: webhook: expected http://host/path"),
        (["webhook.url=https://host", "webhook.ca_file={folder}"], "expected a certificate in PEM form"),
        (
            ["webhook.url=https://me:geheim@host", "webhook.token=abc"],
            "a token or user:password@ in the url, found both",
        ),
        (["webhook.url=http://host", "webhook.ca_file={folder}/text.pem"], "expected https:// with ca_file"),
        (
            ["journal.path={folder}/a/../j", "files.path={folder}/j"],
            "files.path = '{folder}/j': the journal lies there; name another file",
        ),
        (["journal.path={folder}"], "journal.path = '{folder}': expected a file, found a folder"),
        (["journal.path={folder}/text.pem/journal"], "expected a folder at {folder}/text.pem, found a file"),
        (["files.path={folder}"], "files.path = '{folder}': expected a file, found a folder"),
        (["pictures.path={folder}/text.pem"], "pictures.path = '{folder}/text.pem': expected a folder, found a file"),
        (["camera.source={folder}/none.mp4"], "camera.source: {folder}/none.mp4: expected a video"),
        (["camera.url=file:///etc/passwd"], "is no camera stream: expected rtsp://"),
        (["site={folder}/none"], "site: no site file at {folder}/none"),
        (["decision.classes.gold.min_confidence=0.5"], "decision.classes names gold"),
    ],
)
def test_what_run_would_refuse_is_found(folder: Path, settings: list[str], complaint: str) -> None:
    wanted = complaint.format(folder=folder)
    if "gold" in complaint:  # only a routing that fits lets the thresholds be judged
        with pytest.raises(ConfigError) as refusal:
            load_config(None, settings, {}, [misfits])
        assert wanted in str(refusal.value)
        return
    told = "\n".join(complaints(*(setting.format(folder=folder) for setting in settings)))
    assert wanted in told
    assert "geheim" not in told


def test_a_flap_that_was_calibrated_beyond_the_range_of_its_servo_is_named(folder: Path) -> None:
    (folder / "site.toml").write_text(
        "schema = 1\n[actuators.dry]\nmade_at = 2026-11-21T08:00:00Z\n"
        "rest_angle = 10\nopen_angle = 120\nopen_s = 1\ntravel_s = 0.5\n",
        encoding="utf-8",
    )
    servo = [f"site={folder}", "bins.dry.actuator.kind=servo", "bins.dry.actuator.pin=4"]
    assert not any("angle" in line for line in complaints(*servo))
    told = complaints(*servo, "bins.dry.actuator.max_angle=90")
    (line,) = [line for line in told if "angle" in line]
    assert "bins.dry.actuator.open_angle = 120: expected 0 to 90, as calibrated; widen the range" in line


def test_one_mistake_alone_keeps_its_own_kind_of_error(folder: Path) -> None:
    with pytest.raises(MissingInputError, match="no bundle at"):
        load_config(None, [f"model.bundle={folder}"], {}, [misfits])


def test_the_defaults_fit() -> None:
    assert list(misfits(load_config(None, environment={}))) == []
