"""Where the parts of a bin keep their files."""

from __future__ import annotations

from pathlib import Path

from edge.assembly.places import pictures_folder
from edge.config import load_config


def test_two_journals_in_one_folder_have_their_pictures_apart() -> None:
    folders = [pictures_folder(load_config(None, [f"journal.path=/srv/{name}.sqlite"], {})) for name in "ab"]
    assert folders == [Path("/srv/a.sqlite.pictures"), Path("/srv/b.sqlite.pictures")]
    assert pictures_folder(load_config(None, ["pictures.path=/srv/pictures"], {})) == Path("/srv/pictures")
    assert pictures_folder(load_config(None, ["pictures.enabled=false"], {})) is None
