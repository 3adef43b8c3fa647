from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.data_folder import LeftOut, fingerprint, in_words, leave_out_unreadable, scan
from edge.errors import DatasetError, MissingInputError
from tests.train.shapes import LABELS, draw_shapes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_shapes(tmp_path / "pictures", num_each=5)


def list_groups(folder: Path, *, group: dict[str, str] | None = None, split: dict[str, str] | None = None) -> list[str]:
    """The lines of a groups.csv that lists the whole folder."""
    group, split = group or {}, split or {}
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))
    return [f"{path},{path.split('/')[0]},{group.get(path, '')},{split.get(path, '')}" for path in paths]


def write_groups(folder: Path, lines: list[str]) -> None:
    (folder / "groups.csv").write_text("\n".join(["path,label,group,split", *lines]) + "\n")


def test_names_that_a_mac_writes_in_two_parts_are_found_in_a_list_that_was_typed(folder: Path) -> None:
    """And the other way round; within a line, too."""
    typed, on_disk = "M\u00fcll", "Mu\u0308ll"
    (folder / "disc").rename(folder / on_disk)
    (folder / "square").rename(folder / "Gl\u00e4ser")
    renamed = {"disc": (typed, on_disk), "square": ("Gla\u0308ser", "Gl\u00e4ser"), "stripes": ("stripes", "stripes")}
    names = [(*renamed[label], f"{number:02}.png") for label in LABELS for number in range(5)]
    write_groups(folder, [f"{place}/{name},{label},one of {place}," for place, label, name in names])
    dataset = scan(folder)
    assert set(dataset.labels) == {typed, "Gl\u00e4ser", "stripes"}
    assert all(dataset.path(row).is_file() for row in dataset.rows)
    assert {row.group for row in dataset.rows} == {f"one of {place}" for place, _, _ in names}


def test_classes_come_from_folders_and_hidden_files_are_ignored(folder: Path) -> None:
    (folder / ".cache").mkdir()
    (folder / "disc" / ".hidden.png").touch()
    (folder / "disc" / "notes.txt").touch()
    dataset = scan(folder)
    assert dataset.labels == LABELS
    assert Counter(row.label for row in dataset.rows) == dict.fromkeys(LABELS, 5)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no data folder at .*nowhere"):
        scan(tmp_path / "nowhere")


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected one subfolder of pictures a class, found none"):
        scan(tmp_path)


def test_a_class_without_pictures_is_named(folder: Path) -> None:
    (folder / "cone").mkdir()
    with pytest.raises(DatasetError, match="no pictures in class cone"):
        scan(folder)


def test_classes_whose_names_differ_by_case_alone_are_refused(folder: Path) -> None:
    (folder / "disc").rename(folder / "Square")
    with pytest.raises(DatasetError, match="the classes Square and square differ by case alone: put the pictures"):
        scan(folder)


def test_a_picture_whose_name_is_no_text_is_left_out_and_named(folder: Path) -> None:
    """It could be written into no groups.csv, no splits and no report."""
    first = next((folder / "disc").glob("*.png"))
    first.rename(os.fsdecode(bytes(folder / "disc") + b"/fl\xe4sche.png"))
    dataset = scan(folder)
    assert Counter(row.label for row in dataset.rows)["disc"] == 4
    (left_out,) = dataset.left_out
    assert str(left_out).startswith("disc/fl�sche.png: its name is not written in UTF-8")
    fingerprint(dataset)


def test_pictures_of_other_kinds_and_folders_within_a_class_are_named(folder: Path) -> None:
    for name in ("phone.HEIC", "scan.tif", "moving.gif", "live one.MOV"):
        (folder / "disc" / name).write_bytes(b"a picture")
    (folder / "disc" / "monday").mkdir()
    (folder / "disc" / "00.png").rename(folder / "disc" / "monday" / "00.png")
    dataset = scan(folder)
    assert [one.path for one in dataset.left_out] == [
        f"disc/{name}" for name in ("live one.MOV", "monday", "moving.gif", "phone.HEIC", "scan.tif")
    ]
    assert leave_out_unreadable(dataset).left_out == dataset.left_out
    assert "`ffmpeg -i 'live one.MOV' -r 1 %04d.jpg`" in str(dataset.left_out[0])
    assert "put its pictures beside it" in str(dataset.left_out[1])


def test_a_class_of_folders_says_where_its_pictures_are(folder: Path) -> None:
    (folder / "disc").rename(folder / "inner")
    (folder / "disc").mkdir()
    (folder / "inner").rename(folder / "disc" / "monday")
    with pytest.raises(DatasetError, match=r"no pictures in class disc: .* found disc/monday: a folder within a class"):
        scan(folder)


@pytest.mark.parametrize("wrapper", ["", "all"])
def test_of_a_data_set_in_parts_the_largest_is_pointed_at(folder: Path, wrapper: str) -> None:
    """Train, valid and test, or a folder in a folder of its own name, as data sets are downloaded."""
    root = folder.parent / "downloaded" / wrapper
    for part in ("train", "valid"):
        shutil.copytree(folder, root / part)
    (root / "valid" / "disc" / "00.png").unlink()
    with pytest.raises(DatasetError, match=rf"give the largest part, {root}/train: training holds"):
        scan(folder.parent / "downloaded")


def test_what_is_left_out_is_told_with_its_name_and_of_many_the_first() -> None:
    assert str(LeftOut("can/1.jpg", "empty: 0 bytes")) == "can/1.jpg: empty: 0 bytes"
    assert str(LeftOut("can/1.jpg", "/photos/can/1.jpg cannot be read")) == "/photos/can/1.jpg cannot be read"
    many = [LeftOut(f"can/{number}.heic", "no JPEG") for number in range(500)]
    assert in_words(many, most=2) == ["can/0.heic: no JPEG", "can/1.heic: no JPEG", "and 498 more"]


def test_unreadable_pictures_are_listed_and_left_out(folder: Path) -> None:
    (folder / "disc" / "00.png").write_bytes(b"not a picture")
    (folder / "disc" / "01.png").write_bytes(b"")
    whole = (folder / "square" / "00.png").read_bytes()
    (folder / "square" / "00.png").write_bytes(whole[: len(whole) // 8])
    dataset = leave_out_unreadable(scan(folder))
    assert {"disc/00.png", "disc/01.png"} <= {picture.path for picture in dataset.left_out}
    assert len(dataset.rows) + len(dataset.left_out) == 15
    assert all(picture.reason for picture in dataset.left_out)


def test_a_class_with_only_damaged_pictures_is_named(folder: Path) -> None:
    for path in (folder / "stripes").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="no readable picture in class stripes"):
        leave_out_unreadable(scan(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: ["disc/99.png,disc,,", *lines], r"lists 1 picture not there, such as disc/99\.png"),
        (lambda lines: lines[1:], r"does not list 1 picture, such as disc/00\.png"),
        (lambda lines: ["disc/00.png,square,,", *lines[1:]], "label 'square' contradicts the folder 'disc'"),
        (lambda lines: ["disc/00.png,disc,,exam", *lines[1:]], "expected split train, val or test, found 'exam'"),
        (lambda lines: ["disc/00.png,disc,,val", *lines[1:]], "some lines have a split and some have none"),
        (lambda lines: [lines[0], *lines], r"disc/00\.png is listed twice"),
    ],
)
def test_a_contradictory_label_file_is_explained(folder: Path, change, message: str) -> None:
    write_groups(folder, change(list_groups(folder)))
    with pytest.raises(DatasetError, match=message):
        scan(folder)


def test_a_group_in_both_splits_is_refused(folder: Path) -> None:
    lines = [f"{line}val" if "/00" in line else f"{line}train" for line in list_groups(folder)]
    lines[0], lines[1] = "disc/00.png,disc,7,val", "disc/01.png,disc,7,train"
    write_groups(folder, lines)
    with pytest.raises(DatasetError, match="group 7 is in train and in val"):
        scan(folder)


def test_a_label_file_without_its_columns_is_refused(folder: Path) -> None:
    (folder / "groups.csv").write_text("file;class\n")
    with pytest.raises(DatasetError, match="expected the columns path,label,group,split, found file,class"):
        scan(folder)


def test_a_wrong_line_is_named_by_its_number_in_the_file(folder: Path) -> None:
    write_groups(folder, ["", "", "disc/00.png,square,,"])
    with pytest.raises(DatasetError, match=r"groups\.csv:4: .* contradicts the folder"):
        scan(folder)


def test_a_quote_that_is_never_closed_is_told_in_one_line(folder: Path) -> None:
    lines = list_groups(folder)
    write_groups(folder, [lines[0], f'"{lines[1]}', *lines[2:]])
    with pytest.raises(DatasetError, match="after line 2: close the quote there") as refused:
        scan(folder)
    assert "\n" not in str(refused.value)


def test_a_binary_label_file_is_refused(folder: Path) -> None:
    (folder / "groups.csv").write_bytes(b"\xff\xfe\x00\x00path")
    with pytest.raises(DatasetError, match="is not written in UTF-8: save it again"):
        scan(folder)


def test_the_fingerprint_changes_with_any_byte(folder: Path) -> None:
    before = fingerprint(scan(folder))
    assert before == fingerprint(scan(folder))
    with (folder / "disc" / "00.png").open("ab") as file:
        file.write(b"\0")
    assert fingerprint(scan(folder)) != before


def test_a_folder_is_its_class_however_its_name_was_typed(folder: Path) -> None:
    decomposed = "Restmu\u0308ll"  # as other computers write it
    (folder / "disc").rename(folder / decomposed)
    write_groups(folder, list_groups(folder))
    dataset = scan(folder)
    assert "Restmüll" in dataset.labels
    (*_, row) = (row for row in dataset.rows if row.label == "Restmüll")
    assert row.path.startswith(f"{decomposed}/")
    assert dataset.path(row).is_file()


def test_a_folder_that_cannot_be_a_class_is_named(folder: Path) -> None:
    (folder / "disc").rename(folder / "-disc")
    with pytest.raises(DatasetError, match=r"'-disc' cannot be the name of a class.*rename the folder"):
        scan(folder)


def test_a_label_file_need_not_list_what_cannot_be_read(folder: Path) -> None:
    write_groups(folder, list_groups(folder))
    (folder / "disc" / "empty.png").touch()
    whole = cv2.imencode(".jpg", np.full((90, 120, 3), 128, np.uint8))[1].tobytes()
    (folder / "disc" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    dataset = scan(folder)
    assert [one.path for one in dataset.left_out] == ["disc/empty.png", "disc/half.jpg"]
    assert len(dataset.rows) == 15
    (folder / "disc" / "whole.jpg").write_bytes(whole)
    with pytest.raises(DatasetError, match=r"does not list 3 pictures, such as disc/whole\.jpg"):
        scan(folder)


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: f"\ufeff{text}".replace("\n", "\r\n"),
        lambda text: text.replace(",", ";") + ";;;\n",
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", ", "),
        lambda text: text.replace("/", "\\"),
        lambda text: text.replace("disc/", "./disc/"),
    ],
    ids=["excel", "semicolons and a line left empty", "tabs", "spaces", "windows", "a shell's find"],
)
def test_a_label_file_may_come_from_elsewhere(folder: Path, saved: Callable[[str], str]) -> None:
    write_groups(folder, list_groups(folder, group={"disc/00.png": "7"}))
    before = scan(folder)
    assert before.rows[0].group == "7"
    path = folder / "groups.csv"
    path.write_bytes(saved(path.read_text()).encode())
    assert scan(folder) == before
