"""Settings come in layers; whatever is wrong is named all at once, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from edge.cameras.usb import CONTROLS
from edge.config import Config, load_config
from edge.config.sections import UsbCameraSection, UsbControl
from edge.errors import ConfigError, MissingInputError


def written(folder: Path, text: str, name: str = "sorter.toml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_means_the_defaults() -> None:
    assert load_config(None, environment={}) == Config()


def test_the_last_layer_wins_and_the_others_shine_through(tmp_path: Path) -> None:
    path = written(tmp_path, '[camera]\nbackend = "usb"\nwidth_px = 640\nheight_px = 480\n[model]\nthreads = 1\n')
    written(tmp_path, "[camera]\nheight_px = 360\n", "conf.d/10-size.toml")
    config = load_config(path, ["model.threads=4"], {"SORTER__MODEL__THREADS": "3", "SORTER__DEVICE__ID": "hall"})
    assert isinstance(config.camera, UsbCameraSection)
    assert (config.camera.width_px, config.camera.height_px) == (640, 360)
    assert (config.model.threads, config.device.id) == (4, "hall")


def test_every_problem_is_named_with_file_key_value_and_what_is_allowed(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [camera]
        backend = "usb"
        widht_px = 640
        [decision]
        min_confidence = 3
        [decision.classes.metal]
        min_confidense = 0.5
        [bins.dry]
        actuator = { kind = "gpio", pin = 99 }
        [mqtt]
        port = 0
        [nonsense]
        """,
    )
    with pytest.raises(ConfigError) as refusal:
        load_config(path, ["smoothing.method=mean"], {"SORTER__MODEL__THREADS": "99"})
    message = str(refusal.value)
    assert (
        f"{path}: camera.widht_px = 640 is not a setting; did you mean width_px? (allowed: backend, controls,"
        in message
    )
    assert f"{path}: decision.min_confidence = 3: Input should be less than or equal to 1" in message
    assert "decision.classes.metal.min_confidense = 0.5 is not a setting; did you mean min_confidence?" in message
    assert f"{path}: bins.dry.actuator.pin = 99: Input should be less than or equal to" in message
    assert f"{path}: mqtt.host is missing" in message
    assert f"{path}: mqtt.port = 0: Input should be greater than or equal to 1" in message
    assert "nonsense = {} is not a setting" in message
    assert "--set smoothing.method: smoothing.method = 'mean': Input should be 'mean_log_prob', 'ema'" in message
    assert "SORTER__MODEL__THREADS: model.threads = 99" in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[camera]\nbackend = "webcam"\n', "'usb', 'csi', 'stream', 'replay', 'simulated'"),
        ("[decision]\nmin_frames = 9\nmax_frames = 3\n", "max_frames 3 must be at least min_frames 9"),
        (
            '[bins.a]\nactuator = {kind = "gpio", pin = 4}\n[bins.b]\nactuator = {kind = "gpio", pin = 4}\n',
            "pin 4 serves bins.a and bins.b",
        ),
        ("[bins.a]\ntakes_unknown = true\n[bins.b]\ntakes_unknown = true\n", "at most one can take them"),
        ("[camera]\nrate_hz = 5\n", "camera.backend is missing: say which one is meant (usb, csi, stream, replay,"),
        ("schema = 2\n", "schema = 2: Input should be 1"),
        ("[model\n", "is not valid TOML"),
        ("\x00", "is not valid TOML"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config(written(tmp_path, text), environment={})
    assert complaint in str(refusal.value)


def test_a_file_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no configuration at"):
        load_config(tmp_path / "sorter.toml", environment={})


def test_an_override_without_a_value_says_how_it_is_written() -> None:
    with pytest.raises(ConfigError, match="expected section"):
        load_config(None, ["model.threads"], {})


def test_the_password_does_not_show_when_a_config_is_printed() -> None:
    config = load_config(None, ["mqtt.host=broker", "mqtt.password=geheim"], {})
    assert "geheim" not in repr(config)


def test_the_controls_that_may_be_set_are_those_the_camera_has() -> None:
    assert set(get_args(UsbControl)) == set(CONTROLS)
