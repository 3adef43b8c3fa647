"""Settings come in layers; whatever is wrong is named all at once, with its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from edge.cameras.usb import CONTROLS
from edge.config import Config, load_config
from edge.config.cameras import ReplayCameraSection, SimulatedCameraSection, UsbCameraSection, UsbControl
from edge.config.complaints import Complaint
from edge.errors import AccessDeniedError, BundleError, ConfigError, MissingInputError

SMALL_CAROUSEL = "carousel = {steps_per_turn = 9, step_pin = 1, direction_pin = 2, home_pin = 3}\n"


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


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """As a user for whom permissions count."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("locked", ["conf.d", "conf.d/10-broker.toml", "sorter.toml"])
def test_what_this_user_may_not_read_is_an_error_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    written(tmp_path, "schema = 1\n")
    written(tmp_path, '[mqtt]\nhost = "broker.local"\n', "conf.d/10-broker.toml")
    tmp_path.chmod(0o755)
    (tmp_path / locked).chmod(0)
    monkeypatch.chdir(tmp_path)  # whatever the folders above it allow
    with without_roots_rights(), pytest.raises(AccessDeniedError, match=f"{locked}: this user may not read it"):
        load_config(Path("sorter.toml"), environment={})
    (tmp_path / locked).chmod(0o755)


def test_what_an_editor_hides_in_the_folder_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "schema = 1\n")
    written(tmp_path, '[device]\nid = "hall"\n', "conf.d/10-device.toml")
    (tmp_path / "conf.d" / ".#10-device.toml").symlink_to("somebody@nowhere.1234:1")
    assert load_config(path, environment={}).device.id == "hall"


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
        f"{path}:4: camera.widht_px = 640 is not a setting; did you mean width_px? (allowed: backend, controls, device,"
        in message
    )
    assert f"{path}:6: decision.min_confidence = 3: expected less than or equal to 1" in message
    assert f"{path}:8: decision.classes.metal.min_confidense = 0.5 is not a setting; did you mean min_co" in message
    assert f"{path}:10: bins.dry.actuator.pin = 99: a Raspberry Pi has 0 to 27" in message
    assert f"{path}:11: mqtt.host is missing" in message
    assert f"{path}:12: mqtt.port = 0: expected greater than or equal to 1" in message
    assert f"{path}:13: nonsense is not a setting" in message
    assert "--set smoothing.method: smoothing.method = 'mean': expected 'mean_log_prob', 'ema'" in message
    assert "SORTER__MODEL__THREADS: model.threads = 99" in message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[camera]\nbackend = "webcam"\n', "'usb', 'csi', 'stream', 'replay', 'simulated'"),
        ("[presence]\nlearn_s = 60\n", "learn_timeout_s 6 must be at least learn_s 60"),
        ("[presence]\nabsorb_s = 1\n", "absorb_s 1 must be more than settle_s and arm_settle_s, 1.2"),
        ("[decision]\nmin_frames = 9\nmax_frames = 3\n", "max_frames 3 must be at least min_frames 9"),
        (
            '[bins.a]\nactuator = {kind = "gpio", pin = 4}\n[bins.b]\nactuator = {kind = "gpio", pin = 4}\n',
            "sorter.toml:4: bins.b.actuator.pin: pin 4 serves bins.a and bins.b",
        ),
        (
            '[bins.a]\nactuator = {kind = "servo", pin = 4}\nconfirm = {by = "switch", pin = 4}\n',
            "sorter.toml:3: bins.a.confirm.pin: pin 4 serves bins.a and bins.a",
        ),
        ('[bins.a]\nconfirm = {by = "look"}\n', "moves nothing"),
        ('[bins.a]\nactuator = {kind = "servo", pin = 4, open_angle = 200}\n', "200: expected 0 to 180"),
        ('[bins.a]\nactuator = {kind = "carousel", position = 3}\n', "there is no section [carousel]"),
        (
            SMALL_CAROUSEL + '[bins.a]\nactuator = {kind = "carousel", position = 9}\n',
            "sorter.toml:3: bins.a.actuator.position = 9: expected less than carousel.steps_per_turn",
        ),
        ('[mqtt]\nhost = "a"\nkey_file = "k"\n', "certificate_file and key_file belong together"),
        ('[mqtt]\nhost = "a"\npassword = "p"\n', "sorter.toml:3: mqtt.password: it belongs to a username"),
        ('[mqtt]\nhost = "a"\nretry_max_s = 0.5\n', "sorter.toml:3: mqtt.retry_max_s = 0.5 is less than retry_min_s"),
        ('[webhook]\nurl = "http://a"\nretry_max_s = 0.5\n', "webhook.retry_max_s = 0.5 is less than retry_min_s"),
        (
            '[camera]\nbackend = "usb"\nrate_hz = 0.5\n',
            "decision.deadline_s = 2: too short for 3 frames at 0.5 a second",
        ),
        ("[decision]\ndeadline_s = 90\n", "decision.deadline_s = 90: expected less than presence.absorb_s, 60"),
        (
            '[bins.a]\nactuator = {kind = "servo", pin = 4, rest_angle = 90}\n',
            "90: expected another one than rest_angle",
        ),
        ('[bins.a]\nactuator = {kind = "relay"}\n', "bins.a.actuator.kind = 'relay': expected one of 'log', 'gpio'"),
        ('[camera]\nsource = "http://192.0.2.7/video"\n', "set camera.url instead"),
        ('[camera]\ndevice = "rtsp://me:secret@192.0.2.7/1"\n', "'rtsp://192.0.2.7/1': this is an address"),
        ("[bins.a]\ntakes_unknown = true\n[bins.b]\ntakes_unknown = true\n", "at most one can take them"),
        ("[camera]\nrate_hz = 5\n", "camera.backend is missing: say which one is meant (usb, csi, stream, replay,"),
        ("schema = 2\n", "schema = 2 is not known, expected 1: update sorter"),
        ("[model\n", "is not valid TOML"),
        (
            'schema = 1\nsite = "C:\\Users\\me"\n',
            "sorter.toml:2: is not valid TOML: Invalid hex value (column 13); w",
        ),
        (
            "[camera]\nbackend = “usb”\n",
            "sorter.toml:2: is not valid TOML: Invalid value (column 11); strai",
        ),
        ("[camera]\n  backend: usb\n", "sorter.toml:2: is not valid TOML: Expected '=' after a key"),
        ("[camera]\nbackend = usb\n", "(column 11); a text stands in quotation marks"),
        ('[camera]\nbackend = "usb\n', "; a text ends with its quotation mark, on the same line"),
        (
            '[device]\nid = "a"\nid = "b"',
            "sorter.toml:3: is not valid TOML: Cannot overwrite a value (its end); it is set a",
        ),
        (
            "[web]\n[mqtt]\n[web]\n",
            "sorter.toml:3: is not valid TOML: Cannot declare ('web',) twice (column 5); it is de",
        ),
        ('[bins.a]\nactuator = {kind = "log",\n}\n', "; what stands in { } is one line, without a comma before the }"),
        ("[decision]\ndeadline_s = 1,5\n", "; a decimal number has a point"),
        ("[mqtt]\ncommands = True\n", "; expected true or false"),
        ('[web]\nhost = "http://0.0.0.0"\n', "web.host = 'http://0.0.0.0': expected a name or an address alone"),
        ('[web]\nhost = "[::]"\n', "web.host = '[::]': expected a name or an address alone"),
        ('[mqtt]\nhost = "broker.local:1883"\n', "mqtt.host = 'broker.local:1883': expected a name or an address"),
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


SECRET = "geheim"  # noqa: S105 - that is the point


def test_secrets_do_not_show_when_a_config_is_printed() -> None:
    secrets = [
        "mqtt.host=broker",
        "mqtt.username=bin",
        f"mqtt.password={SECRET}",
        f"webhook.token={SECRET}",
        f"webhook.url=http://a/{SECRET}",
    ]
    config = load_config(None, [*secrets, "camera.backend=stream", f"camera.url=rtsp://me:{SECRET}@cam"], {})
    assert SECRET not in repr(config) + config.model_dump_json()
    assert config.mqtt is not None
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "mistake",
    [
        f'mqtt.password=["{SECRET}"]',
        f"mqtt.pasword={SECRET}",
        f"mqtt={SECRET}",
        f"mqtt.port={SECRET}",
        f"webhook.token={{a = '{SECRET}'}}",
        f"camera.url=['{SECRET}']",
    ],
)
def test_no_error_prints_a_secret_or_what_may_be_one(mistake: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config(None, [mistake], {})
    shown = str(refusal.value)
    assert mistake.partition("=")[0] in shown
    assert (SECRET in shown) == mistake.startswith("mqtt.port"), (
        "what stands in a known place that is no secret may show"
    )


@pytest.mark.parametrize("text", ["12345", "0123", "true", "1.5", "2026-11-21", '"12345"'])
def test_a_text_that_looks_like_a_number_is_still_a_text_where_one_is_wanted(text: str) -> None:
    config = load_config(None, ["mqtt.host=broker", "mqtt.username=bin"], {"SORTER__MQTT__PASSWORD": text})
    assert config.mqtt is not None
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == text.strip('"')


def test_a_number_stays_a_number() -> None:
    config = load_config(None, ["device.id=7", "model.threads=3", "camera.rate_hz=5", "pictures.enabled=false"], {})
    assert (config.device.id, config.model.threads, config.camera, config.pictures.enabled) == (
        "7", 3, SimulatedCameraSection(rate_hz=5), False,
    )  # fmt: skip


def test_a_camera_that_only_one_backend_can_mean_needs_no_backend(tmp_path: Path) -> None:
    in_file = load_config(written(tmp_path, '[camera]\ndevice = "/dev/video2"\n'), environment={})
    assert isinstance(in_file.camera, UsbCameraSection)
    assert isinstance(load_config(None, ["camera.source=clip.mp4"], {}).camera, ReplayCameraSection)


def refuse(config: Config) -> Iterator[Complaint]:
    yield Complaint(("bins",), f": {len(config.bins)} bins do not fit")
    yield Complaint(("model", "threads"), f" = {config.model.threads} does not fit")


def test_checks_beyond_the_schema_are_named_together_with_its_mistakes_unless_they_may_follow_from_them(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "[model]\nthreads = 99\n[bins.a]\n[bins.b]\nlables = []\n")
    with pytest.raises(ConfigError) as refusal:
        load_config(path, environment={}, checks=[refuse])
    message = str(refusal.value)
    assert f"{path}:2: model.threads = 99: expected" in message
    assert "threads = 2 does not fit" not in message
    assert f"{path}:5: bins.b.lables" in message


def test_a_check_that_failed_alone_keeps_its_own_error() -> None:
    damaged = BundleError("is damaged")
    with pytest.raises(BundleError, match="is damaged"):
        load_config(None, [], {}, checks=[lambda _: [Complaint(("model", "bundle"), "", damaged)]])


def test_the_controls_that_may_be_set_are_those_the_camera_has() -> None:
    assert set(get_args(UsbControl)) == set(CONTROLS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mqtt = 3", ":1: mqtt = ***: expected a section, with keys and values of its own"),
        (
            '[bins."x y"]',
            ":1: bins.x y = 'x y': expected small letters a to z, digits, - and _, at most 63, a letter or",
        ),
        ('[device]\nid = "Hall 1"', ":2: device.id = 'Hall 1': expected small letters a to z, digits, - and _"),
        ('[web]\nhosts = "bin.local"', ":2: web.hosts = 'bin.local': expected a list, such as ["),
        ('[web]\ntoken = "short"', ":2: web.token = ***: expected at least 16 characters, found 5"),
        ('[web]\nport = "eighty"', ":2: web.port = 'eighty': expected a whole number"),
        ("[mqtt]\nhost = 5", ":2: mqtt.host = 5: expected a text, in quotes"),
        ('[mqtt]\nhost = "a"\nuse_tls = "ja"', ":3: mqtt.use_tls = 'ja': expected true or false"),
        ('[camera]\nbackend = "usb"\ncontrols = { gain = nan }', ":3: camera.controls.gain = nan: expected a number"),
        ('[model]\npublic_key = "abc"', "expected a public key, as `sorter model keygen` prints it"),
    ],
)
def test_a_mistake_is_told_in_words_of_the_file_and_not_of_a_programming_language(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load_config(path, environment={})


def test_a_file_from_another_system_s_editor_is_read_or_its_encoding_named(tmp_path: Path) -> None:
    path = tmp_path / "sorter.toml"
    path.write_bytes(b'\xef\xbb\xbf[device]\r\nid = "hall"\r\n')
    assert load_config(path, environment={}).device.id == "hall"

    path.write_bytes('[device]\nid = "hall"\nname = "Foyer f\xfcr alle"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"sorter\.toml:3: expected text in UTF-8"):
        load_config(path, environment={})
