"""The first configuration: valid whatever is answered, and never over a file that is there."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.assembly.misfits import misfits
from edge.commands.init import init
from edge.config import load_config
from edge.config.first_config import Answers, CameraAnswer, Drive, one_bin_each, recycling_and_rest, write_config
from edge.errors import ConfigError, UsageError
from edge.host.installation import FIRST_CONFIG

LABELS = ("cardboard", "glass", "metal", "paper", "plastic", "trash")

cameras = st.sampled_from(
    [
        CameraAnswer("usb", device="/dev/video2"),
        CameraAnswer("csi"),
        CameraAnswer("stream", url='rtsp://bin:pa"ss\\word@cam.local/1'),
        CameraAnswer(),
    ]
)
answers = st.builds(
    Answers,
    device_id=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
    camera=cameras,
    bins=st.sampled_from([one_bin_each(LABELS), recycling_and_rest(LABELS, ["trash"])]),
    drive=st.sampled_from(list(Drive)),
    broker=st.sampled_from([None, "broker", "broker.local:8883"]),
    has_home_assistant=st.booleans(),
    has_page=st.booleans(),
)


@given(answers)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_whatever_is_answered_the_file_is_valid(tmp_path: Path, given_answers: Answers) -> None:
    path = tmp_path / "sorter.toml"
    path.write_text(write_config(given_answers), encoding="utf-8")
    config = load_config(path, [], {}, checks=[misfits])
    assert config.device.id == given_answers.device_id
    assert config.camera.backend == given_answers.camera.backend
    assert {label for section in config.bins.values() for label in section.labels} == set(LABELS)
    assert (config.web is not None) == given_answers.has_page
    assert (config.mqtt is not None) == (given_answers.broker is not None)


@pytest.mark.parametrize("labels", [("纸", "金属", "玻璃"), ("PET 1", "PET-1", "PET-1-2"), ("a" * 80, "a" * 90)])
def test_every_class_has_a_bin_of_its_own_however_alike_their_names(tmp_path: Path, labels: tuple[str, ...]) -> None:
    path = tmp_path / "sorter.toml"
    path.write_text(write_config(Answers("bin", CameraAnswer(), one_bin_each(labels))), encoding="utf-8")
    assert [section.labels for section in load_config(path, [], {}).bins.values()] == [(label,) for label in labels]


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path, bundle = tmp_path / "sorter.toml", '/models/"a"\\b\x7f'
    path.write_text(write_config(Answers("bin", CameraAnswer(), {}, bundle=bundle)), encoding="utf-8")
    assert str(load_config(path, [], {}).model.bundle) == bundle


@pytest.mark.parametrize("label", ["Glas & Dosen", "ペットボトル", "-x-", "a" * 200])
def test_any_label_can_be_a_bin(label: str) -> None:
    (name,) = one_bin_each([label])
    assert len(name) <= 60
    assert name[0].isalnum()


def asked(lines: Sequence[str], *arguments: str) -> Result:
    """`sorter init` with these lines typed in."""
    return CliRunner().invoke(init, arguments, input="\n".join(lines) + "\n")


@pytest.mark.parametrize("wrong", ["broker:99999", "broker local", ":1884", "mqtt://broker"])
def test_a_wrong_answer_is_asked_again(tmp_path: Path, wrong: str) -> None:
    target = tmp_path / "sorter.toml"
    answer = asked(["Küche", "kitchen", "", "2", "3", wrong, "broker:1884", "n", "n"], "--out", str(target))
    assert answer.exit_code == 0, answer.output
    assert "such as kitchen-bin" in answer.output
    assert "such as broker.local:1883" in answer.output
    config = load_config(target, [], {}, checks=[misfits])
    assert config.device.id == "kitchen"
    assert {section.actuator.kind for section in config.bins.values()} == {"servo"}
    assert config.mqtt is not None
    assert (config.mqtt.port, config.mqtt.home_assistant, config.web) == (1884, False, None)


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    target = tmp_path / "sorter.toml"
    target.write_text("# mine\n", encoding="utf-8")
    answer = asked([], "--yes", "--out", str(target))
    assert isinstance(answer.exception, UsageError)
    assert target.read_text(encoding="utf-8") == "# mine\n"
    assert asked([], "--yes", "--force", "--out", str(target)).exit_code == 0


def test_the_file_that_an_installation_begins_with_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "sorter.toml"
    target.write_text(FIRST_CONFIG, encoding="utf-8")
    target.chmod(0o640)
    assert asked([], "--yes", "--out", str(target)).exit_code == 0
    assert "[bins.recycling]" in target.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640, "the service reads it, others do not"


def test_what_would_not_be_valid_is_not_kept(tmp_path: Path) -> None:
    """Nothing that `init` asks can be answered wrongly; what an owner put beside it can."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "mine.toml").write_text("[bins.recycling]\nlabels = []\n", encoding="utf-8")
    refused = asked([], "--yes", "--out", str(tmp_path / "sorter.toml")).exception
    assert isinstance(refused, ConfigError)
    assert f"{tmp_path / 'sorter.toml'}:15: bins: 'glass' has no bin" in str(refused)
    assert "nothing was written" in str(refused)
    assert [path.name for path in tmp_path.iterdir()] == ["conf.d"]


def test_leaving_in_the_middle_writes_nothing(tmp_path: Path) -> None:
    answer = CliRunner().invoke(init, ["--out", str(tmp_path / "sorter.toml")], input="kitchen\n")
    assert answer.exit_code == 1
    assert not (tmp_path / "sorter.toml").exists()
