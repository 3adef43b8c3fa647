"""What a class may be called."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from edge.class_names import class_name
from edge.errors import UsageError

REAL = ["glass", "drink can", "Restmüll", "plástico", "Pappe & Karton", "glass #2", "PET (clear), 0.5 l", "b-flute"]


@pytest.mark.parametrize("name", [*REAL, "ペットボトル", "紙" * 66])
def test_what_people_call_things_can_be_a_class_and_its_folder(name: str, tmp_path: Path) -> None:
    assert class_name(f" {name} ") == name
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", REAL)
def test_however_it_was_typed_it_is_the_same_class(name: str) -> None:
    assert class_name(unicodedata.normalize("NFD", name)) == name


BAD = [
    "",
    " ",
    ".",
    "..",
    "../evil",
    "a/b",
    "a\\b",
    "a\nb",
    ".hidden",
    "-rf",
    "a" * 201,
    "紙" * 67,
    "\0",
    "\x1b[2J",
    "\ud800",
]


@pytest.mark.parametrize("name", BAD)
def test_what_would_not_be_a_folder_of_its_own_cannot(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a class"):
        class_name(name)


@pytest.mark.parametrize("name", ["unknown", "Unknown", "multiple", "timeout", "left_early"])
def test_what_a_bin_says_in_place_of_a_class_cannot_be_one(name: str) -> None:
    with pytest.raises(UsageError, match="what a bin says in place of one; name it otherwise"):
        class_name(name)
