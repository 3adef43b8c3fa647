from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.data_folder import scan
from tests.train.shapes import draw_shapes
from train.audit.findings import Audit, find, find_suspects, write_groups
from train.audit.look import look
from train.audit.words import describe


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Audit]:
    """A folder with one of each fault, looked at by the shipped network."""
    root = tmp_path_factory.mktemp("data") / "faults"
    draw_shapes(root, num_each=9)
    shutil.copy(root / "disc" / "00.png", root / "square" / "twin.png")  # identical, and one label is wrong
    image = cv2.imread(str(root / "square" / "03.png"))
    cv2.imwrite(str(root / "square" / "again.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])  # nearly identical
    (root / "disc" / "damaged.png").write_bytes(b"not a picture")
    dataset = scan(root)
    return root, find(look(dataset), dataset.labels)


def test_damaged_files_are_listed_and_left_out(found: tuple[Path, Audit]) -> None:
    assert [one.path for one in found[1].left_out] == ["disc/damaged.png"]
    assert {label: facts.num_pictures for label, facts in found[1].classes.items()} == {
        "disc": 9,
        "square": 11,
        "stripes": 9,
    }
    assert found[1].imbalance == pytest.approx(11 / 9)


def test_an_identical_picture_under_another_label_comes_first(found: tuple[Path, Audit]) -> None:
    first = found[1].alike[0]
    assert first.has_conflict
    assert {"disc/00.png", "square/twin.png"} <= set(first.paths)


def test_a_picture_that_was_saved_again_is_nearly_identical(found: tuple[Path, Audit]) -> None:
    assert any({"square/03.png", "square/again.jpg"} <= set(one.paths) for one in found[1].alike)


def test_a_disc_among_squares_is_doubtful(found: tuple[Path, Audit]) -> None:
    assert ("square/twin.png", "disc") in {(one.path, one.looks_like) for one in found[1].suspects}


def test_a_class_of_one_object_has_nobody_to_vouch_for_it_and_is_not_doubtful(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "data", num_each=9)
    seen = look(scan(tmp_path / "data"))
    assert find_suspects(seen, [row.label for row in seen.rows]) == ()


def test_the_answer_is_json_and_words(found: tuple[Path, Audit]) -> None:
    answer = json.loads(json.dumps(found[1].to_json()))
    assert answer["left_out"][0]["path"] == "disc/damaged.png"
    assert answer["alike"][0]["conflict"]
    said = describe(found[1])
    assert "the same picture under different labels: 1" in said
    assert "background: corner colors alone get" in said


def test_a_group_of_one_picture_shows_nothing_that_another_shows(found: tuple[Path, Audit]) -> None:
    audit = found[1]
    first, second, *others = audit.groups
    alone = {name: f"alone-{number}" for number, name in enumerate(others)}
    named = replace(audit, groups={first: "can", second: "can", **alone})
    assert named.grouped_share == 2 / len(audit.groups)
    assert "show what another one shows (1 group)" in describe(named)


def test_found_groups_make_a_label_file_that_training_reads(found: tuple[Path, Audit], tmp_path: Path) -> None:
    root, audit = found
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    write_groups(audit, copy / "groups.csv")
    with_damaged = scan(copy)
    assert [one.path for one in with_damaged.left_out] == ["disc/damaged.png"]
    assert look(with_damaged).left_out == with_damaged.left_out
    (copy / "disc" / "damaged.png").unlink()
    for dataset in (with_damaged, scan(copy)):
        assert {row.path: row.group for row in dataset.rows} == dict(audit.groups)


def test_a_folder_with_only_damaged_files_is_still_told(tmp_path: Path) -> None:
    (tmp_path / "can").mkdir()
    (tmp_path / "can" / "one.jpg").write_bytes(b"")
    dataset = scan(tmp_path)
    audit = find(look(dataset), dataset.labels)
    assert [one.reason for one in audit.left_out] == ["empty: 0 bytes"]
    assert "left out: 1" in describe(audit)


def test_sixty_four_gray_pictures_are_no_objects_of_their_own() -> None:
    # Unit vectors of identical pictures have length zero: nothing may divide by it.
    from train.pictures.likeness import to_unit  # noqa: PLC0415

    assert np.isfinite(to_unit(np.ones((64, 8), np.float32))).all()
