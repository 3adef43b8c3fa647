from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import InvalidDataError, MissingInputError
from edge.run import Run, RunInput, SplitRow, load_run, load_splits, whole_network

RUN = {
    "schema": 1,
    "created_at": "2026-01-02T03:04:05+00:00",
    "labels": ["can", "cup"],
    "input": {"height_px": 64, "width_px": 48},
    "backbone": "efficientnet-lite0",
    "recipe": "efficientnet-lite0",
    "settings": {"fit": {"epochs": 2}},
    "weights": "none",
    "seed": 0,
    "versions": {"keras": "3"},
    "data": {"root": "/pictures", "num_pictures": 2, "num_left_out": 0, "sha256": "0" * 64},
    "metrics": {"accuracy": 0.5},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.keras").touch()
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "splits.csv").write_text("path,label,group,split\ncan/1.jpg,can,,train\ncup/1.jpg,cup,7,val\n")
    return tmp_path


def test_a_run_survives_the_way_to_disk_and_back(folder: Path) -> None:
    run = load_run(folder)
    assert (run.labels, run.input) == (("can", "cup"), RunInput(height_px=64, width_px=48))
    assert Run.model_validate_json(run.model_dump_json(by_alias=True)) == run


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema: Input should be 1"),
        ({"labels": ["can", "can"]}, "labels must differ"),
        ({"labels": ["can"]}, "labels: .* at least 2"),
        ({"color": "red"}, "color: Extra inputs"),
        ({"seed": None}, "seed: "),
    ],
)
def test_what_is_not_understood_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    (folder / "run.json").write_text(json.dumps(RUN | change))
    with pytest.raises(InvalidDataError, match=rf"is not a run of schema 1: .*{message}"):
        load_run(folder)


def test_a_file_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "run.json").write_text("{")
    with pytest.raises(InvalidDataError, match="is not a run of schema 1"):
        load_run(folder)


@pytest.mark.parametrize("name", ["run.json", "model.keras"])
def test_an_unfinished_run_is_missing_input(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(MissingInputError, match=f"no {name} in"):
        load_run(folder)


def test_of_a_cross_validation_a_fold_is_to_be_taken(folder: Path) -> None:
    (folder / "run.json").unlink()
    (folder / "fold1").mkdir()
    with pytest.raises(MissingInputError, match=r"no run\.json in .*: take one, such as .*/fold1"):
        load_run(folder)


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_flipped_byte(content: bytes) -> bytes:
    """As a worn stick gives it back: the list of parts at the end is sound."""
    middle = len(content) // 4
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut_short, with_a_flipped_byte, lambda _: b""])
def test_a_network_that_is_not_whole_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    network = tmp_path / "model.keras"
    with zipfile.ZipFile(network, "w") as parts:
        parts.writestr("model.weights.h5", bytes(range(256)) * 40)
        parts.writestr("config.json", "{}")
    assert whole_network(network) == network
    network.write_bytes(damage(network.read_bytes()))
    with pytest.raises(InvalidDataError, match=r"model\.keras is not a whole Keras file \(\d+ bytes\)"):
        whole_network(network)


def test_splits_keep_the_order_of_the_file(folder: Path) -> None:
    assert load_splits(folder) == (SplitRow("can/1.jpg", "can", "", "train"), SplitRow("cup/1.jpg", "cup", "7", "val"))


@pytest.mark.parametrize(
    "text", ["", "path,label\n", "path,label,group,split\na,b\n", "path,label,group,split\n1,2,3,4,5\n"]
)
def test_splits_without_their_columns_are_refused(folder: Path, text: str) -> None:
    (folder / "splits.csv").write_text(text)
    with pytest.raises(InvalidDataError, match="expected"):
        load_splits(folder)


def test_missing_splits_are_missing_input(folder: Path) -> None:
    (folder / "splits.csv").unlink()
    with pytest.raises(MissingInputError, match=r"no splits\.csv in"):
        load_splits(folder)
