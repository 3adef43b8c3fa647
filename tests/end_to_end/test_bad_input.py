"""What a newcomer gets wrong ends in one line that helps, the right exit code, and nothing half written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import numpy as np
import pytest

from edge.bundle import DEFAULT_BUNDLE, MODEL

Sorter = Callable[..., CompletedProcess[str]]


def complaint(answer: CompletedProcess[str], exit_code: int) -> str:
    """What the command said on stderr, after checking how it ended."""
    assert answer.returncode == exit_code, answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stderr.startswith(("error: ", "Usage: "))
    return answer.stderr


def test_no_such_command(sorter: Sorter) -> None:
    assert "No such command 'srot'" in complaint(sorter("srot"), 2)


@pytest.mark.parametrize("arguments", [["config", "validate", "--config", ""], ["train", ""], ["run", "--site="]])
def test_an_empty_argument_is_not_the_current_folder(sorter: Sorter, arguments: list[str]) -> None:
    assert "an argument is empty" in complaint(sorter(*arguments), 2)


@pytest.mark.parametrize("command", ["run", "replay", "config"])
def test_a_configuration_with_several_mistakes_names_them_all(sorter: Sorter, tmp_path: Path, command: str) -> None:
    path = tmp_path / "sorter.toml"
    path.write_text('[camera]\nbackend = "usb"\nwidht_px = 3\n[decision]\nmin_frames = 0\n', encoding="utf-8")
    arguments = {"run": ["run"], "replay": ["replay", str(tmp_path)], "config": ["config", "validate"]}[command]
    said = complaint(sorter(*arguments, "--config", str(path)), 78)
    assert f"{path}:3: camera.widht_px = 3 is not a setting; did you mean width_px?" in said
    assert f"{path}:5: decision.min_frames = 0" in said


def test_bins_that_do_not_fit_the_model_are_a_configuration_error(sorter: Sorter) -> None:
    said = complaint(sorter("config", "validate", "--set", 'bins.dry.labels=["metal", "gold"]'), 78)
    assert "'gold', which the model does not know" in said
    assert "'glass' has no bin" in said


def test_a_missing_configuration(sorter: Sorter, tmp_path: Path) -> None:
    assert "no configuration at" in complaint(sorter("run", "--config", str(tmp_path / "none.toml")), 66)


@pytest.mark.parametrize(
    ("name", "content", "exit_code"), [("none.jpg", None, 66), ("empty.jpg", b"", 65), ("text.jpg", b"no picture", 65)]
)
def test_a_picture_that_cannot_be_read(
    sorter: Sorter, tmp_path: Path, name: str, content: bytes | None, exit_code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert name in complaint(sorter("classify", str(tmp_path / name)), exit_code)


def test_a_folder_where_a_picture_should_come(sorter: Sorter, tmp_path: Path) -> None:
    assert "is a folder: expected a picture in it" in complaint(sorter("classify", str(tmp_path)), 66)


def test_a_bad_picture_does_not_keep_the_good_ones_from_being_classified(sorter: Sorter, tmp_path: Path) -> None:
    good = next((DEFAULT_BUNDLE / "golden").glob("*.png"))
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    answer = sorter("classify", str(tmp_path / "bad.jpg"), str(good))
    assert answer.returncode == 65
    assert answer.stdout.startswith(f"{good}: ")


@pytest.mark.parametrize(("name", "content", "exit_code"), [("none.mp4", None, 66), ("clip.mp4", b"no video", 65)])
def test_a_video_that_cannot_be_read(
    sorter: Sorter, tmp_path: Path, name: str, content: bytes | None, exit_code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert name in complaint(sorter("replay", str(tmp_path / name)), exit_code)


def test_an_empty_folder_is_nothing_to_replay(sorter: Sorter, tmp_path: Path) -> None:
    assert "no picture in" in complaint(sorter("replay", str(tmp_path)), 65)


def test_a_camera_that_is_not_there(sorter: Sorter, tmp_path: Path) -> None:
    settings = ["--set", "camera.backend=usb", "--set", f"camera.device={tmp_path}/video0"]
    journal = tmp_path / "journal.sqlite"
    said = complaint(sorter("run", *settings, "--set", f"journal.path={journal}"), 69)
    assert f"{tmp_path}/video0" in said


def test_a_bundle_that_is_not_there(sorter: Sorter, tmp_path: Path) -> None:
    assert "no bundle at" in complaint(sorter("demo", "--bundle", str(tmp_path)), 66)


@pytest.mark.parametrize("arguments", [["demo"], ["classify", "picture.jpg"], ["run"], ["evaluate", "data"]])
def test_a_bundle_with_one_changed_byte_is_refused_by_every_command(
    sorter: Sorter, tmp_path: Path, arguments: list[str]
) -> None:
    bundle = shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    model = bytearray((bundle / MODEL).read_bytes())
    model[len(model) // 2] ^= 1
    (bundle / MODEL).write_bytes(model)
    assert "is damaged" in complaint(sorter(*arguments, "--bundle", str(bundle)), 65)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_data_folder_that_is_not_there(sorter: Sorter, tmp_path: Path, command: str) -> None:
    complaint(sorter(command, str(tmp_path / "none")), 66)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_an_empty_data_folder(sorter: Sorter, tmp_path: Path, command: str) -> None:
    complaint(sorter(command, str(tmp_path)), 65)


def test_a_class_without_pictures_is_named_and_nothing_is_written(sorter: Sorter, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "glass").mkdir(parents=True)
    (data / "metal").mkdir()
    golden = next((DEFAULT_BUNDLE / "golden").glob("*.png"))
    shutil.copy(golden, data / "glass" / "one.png")
    said = complaint(sorter("train", str(data), "--out", str(tmp_path / "run")), 65)
    assert "metal" in said
    assert not (tmp_path / "run").exists()


def test_pictures_that_only_a_telephone_reads_are_named(sorter: Sorter, tmp_path: Path) -> None:
    (tmp_path / "data" / "glass").mkdir(parents=True)
    (tmp_path / "data" / "glass" / "IMG_1.HEIC").write_bytes(b"ftypheic")
    assert "glass/IMG_1.HEIC: .HEIC cannot be read: save it as JPEG" in complaint(
        sorter("data", "audit", str(tmp_path / "data")), 65
    )


def test_a_wrong_setting_of_training_blames_the_option(sorter: Sorter, tmp_path: Path) -> None:
    said = complaint(sorter("train", str(tmp_path), "--set", "network.widht=3", "--set", "phases.*.epochs=often"), 78)
    assert "error: --set network.widht=3: network.widht is not a setting; did you mean width?" in said
    assert "\n--set phases.*.epochs=often: phases.0.epochs: " in said
    assert said.count("\n") == 2


def test_a_half_written_network_is_not_converted(sorter: Sorter, tmp_path: Path) -> None:
    model, labels = tmp_path / "model.keras", tmp_path / "labels.txt"
    model.touch()
    labels.write_text("a\nb\n", encoding="utf-8")
    how = ["--labels", str(labels), "--mean", "0", "--std", "1", "--pictures", str(DEFAULT_BUNDLE / "golden")]
    answer = sorter("convert", "--from", str(model), *how, "--out", str(tmp_path / "bundle"))
    assert "is not a whole Keras file (0 bytes)" in complaint(answer, 65)


def test_a_run_that_is_not_there(sorter: Sorter, tmp_path: Path) -> None:
    complaint(sorter("convert", str(tmp_path / "run"), "--out", str(tmp_path / "bundle")), 66)
    assert not (tmp_path / "bundle").exists()


SORTER = Path(sys.executable).with_name("sorter")


def shell(script: str) -> CompletedProcess[str]:
    """What bash says of a line in which $0 is the command."""
    return subprocess.run(["bash", "-c", script, SORTER], capture_output=True, text=True, timeout=60, check=False)


def test_a_reader_that_has_gone_is_no_error() -> None:
    answer = shell('"$0" config schema | true; exit "${PIPESTATUS[0]}"')
    assert (answer.returncode, answer.stderr) == (0, "")


def test_output_on_a_full_disk_is_a_storage_error() -> None:
    assert "No space left" in complaint(shell('"$0" config schema >/dev/full'), 74)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_standard_files_do_no_harm(closed: str) -> None:
    assert shell(f'"$0" demo --fast --items 1 {closed}').returncode == 0


@pytest.mark.parametrize(
    ("library", "extra", "line"),
    [
        ("keras", "workstation", "train . --out run"),
        ("cryptography", "signing", "model keygen it.pem"),
        ("uvicorn", "web", "demo --web --port 0"),
    ],
)
def test_a_missing_library_names_the_line_that_installs_it(tmp_path: Path, library: str, extra: str, line: str) -> None:
    """A stand-in for an install without the extra: Python takes None for a module that is not there."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), np.full((8, 8, 3), 40 * number, np.uint8))
    script = f"import sys; sys.modules[{library!r}] = None; import edge.cli; edge.cli.main()"
    command = [sys.executable, "-c", script, *line.split()]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert f"{library}, which is not installed: pip install '.[{extra}]'" in complaint(answer, 69)
    assert not answer.stdout


def test_a_name_that_is_too_long(sorter: Sorter) -> None:
    assert "File name too long" in complaint(sorter("classify", "a" * 400), 74)


def test_a_file_where_a_folder_should_come(sorter: Sorter, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert "taken" in complaint(sorter("record", str(tmp_path / "taken"), "--seconds", "0.1"), 74)


def test_a_picture_that_cannot_be_read_has_its_line_of_json(sorter: Sorter, tmp_path: Path) -> None:
    answer = sorter("classify", "--json", "none.jpg")
    assert answer.returncode == 66
    assert json.loads(answer.stdout)["picture"] == "none.jpg"
    assert "none.jpg" in json.loads(answer.stdout)["error"]


def test_questions_without_answers_are_a_usage_error(tmp_path: Path) -> None:
    assert "use --yes" in complaint(shell(f'cd {tmp_path}; "$0" init </dev/null >/dev/null'), 2)


WRITING = ["init --yes --out it.toml", "model keygen it.pem", "record it --seconds 0.1", "doctor --pack it.tar.gz"]


@pytest.mark.parametrize("line", WRITING)
def test_a_folder_of_somebody_else_is_told_in_one_line(tmp_path: Path, line: str) -> None:
    tmp_path.chmod(0o500)
    # Root may write everywhere, unless it gives that up.
    lowered = "setpriv --inh-caps=-all --bounding-set=-all" if os.geteuid() == 0 else ""
    said = complaint(shell(f'cd {tmp_path} && XDG_STATE_HOME=/proc {lowered} "$0" {line} >/dev/null'), 77)
    assert re.search(r"error: it(\.\w+)* may not be written by this user: choose another place\n$", said)


@pytest.mark.parametrize("line", [line for line in WRITING if "record" not in line])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, line: str) -> None:
    said = complaint(shell(f'ulimit -f 0; cd {tmp_path} && "$0" {line} >/dev/null'), 74)
    assert "cannot be written" in said
    assert not list(tmp_path.glob("*it.*"))
