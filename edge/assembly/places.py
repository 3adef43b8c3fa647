"""Where the parts of a bin keep their files."""

from __future__ import annotations

from pathlib import Path

from edge.config.sections import Config
from edge.files.places import state_folder


def journal_path(config: Config) -> Path:
    """Where decisions are kept: as configured, else in the state folder."""
    return config.journal.path or state_folder() / "journal.sqlite"


def pictures_folder(config: Config) -> Path | None:
    """Where item pictures are kept: as configured, else beside the journal, by its name; None when none are."""
    if not config.pictures.enabled:
        return None
    journal = journal_path(config)  # two bins may keep theirs in one folder
    return config.pictures.path or journal.with_name(f"{journal.name}.pictures")


def settled(config: Config) -> Config:
    """The configuration with the places that follow from the machine filled in."""
    journal = config.journal.model_copy(update={"path": journal_path(config)})
    pictures = config.pictures.model_copy(update={"path": pictures_folder(config)})
    return config.model_copy(update={"journal": journal, "pictures": pictures})
