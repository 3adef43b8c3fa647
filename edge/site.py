"""The site file: what belongs to one bin and to no other.

A directory, so that small arrays and the background picture lie beside the text:

    site.toml         schema, the bundle it was made for, region, temperature, thresholds
    background.png    the empty scene, RGB, as the camera sees it

Calibration writes it; the device reads it. Written by replacing the whole directory, never in place.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle import Bundle
from edge.decision import ClassThresholds
from edge.errors import ConfigError, InvalidDataError, MissingInputError
from edge.preprocess import Image, load_picture
from edge.presence.settings import Region

SITE = "site.toml"
BACKGROUND = "background.png"


class SiteDescription(BaseModel):
    """The content of site.toml. `bundle_id` is None in a file that holds for any model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(alias="schema")
    bundle_id: str | None = None
    region: Region = Region()
    temperature: Annotated[float, Gt(0), Le(100)] | None = None
    thresholds: dict[str, ClassThresholds] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A loaded site. `background` is (H, W, 3) uint8 RGB or None; `site_id` names this very content."""

    site_id: str | None = None
    region: Region = field(default_factory=Region)
    temperature: float | None = None
    thresholds: dict[str, ClassThresholds] = field(default_factory=dict)
    background: Image | None = None


NO_SITE = Site()


def load_site(path: Path, bundle: Bundle) -> Site:
    """The site in directory `path`, made for `bundle`.

    Raises:
        MissingInputError: no such directory, or no site.toml in it.
        InvalidDataError: the file is not understood.
        ConfigError: it was made for another bundle, whose scores its thresholds do not fit.
    """
    file = path / SITE
    if not file.is_file():
        raise MissingInputError(
            f"no site file at {path}: expected a directory with {SITE}, as `sorter calibrate` writes it"
        )
    encoded = file.read_bytes()
    try:
        description = SiteDescription.model_validate(tomllib.loads(encoded.decode()))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as invalid:
        raise InvalidDataError(f"{file}: {_first_line(invalid)}") from None
    if description.bundle_id not in (None, bundle.bundle_id):
        raise ConfigError(
            f"{file} was made for bundle {str(description.bundle_id)[:8]}, not for {bundle.short_name}: calibrate again"
        )
    if strangers := sorted(set(description.thresholds) - set(bundle.manifest.labels)):
        raise ConfigError(f"{file}: thresholds names {', '.join(strangers)}, which {bundle.short_name} does not know")
    picture = path / BACKGROUND
    return Site(
        site_id=hashlib.sha256(encoded).hexdigest()[:8],
        region=description.region,
        temperature=description.temperature,
        thresholds=description.thresholds,
        background=load_picture(picture) if picture.is_file() else None,
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0]
