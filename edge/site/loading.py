"""A site as a bin takes it: what of it holds for the bundle at hand."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from edge.bundle import Bundle
from edge.deciding.rules import ClassThresholds
from edge.drift import Fingerprint
from edge.errors import InvalidDataError, MissingInputError, StorageError, first_problem
from edge.files.places import state_folder
from edge.preprocess import Image, load_picture
from edge.presence.planes import Floats
from edge.presence.settings import Region
from edge.site.parts import SITE, read_part
from edge.site.schema import SCHEMA, BackgroundStep, CameraStep, FlapStep, HeadStep, SiteDescription, model_steps
from edge.site.staleness import what_is_stale

VARIATION_STEPS = 100.0  # variation.png holds hundredths of grey levels in 16 bits
_NUM_PLANE_AXES = 2
_MEND = "mend it, or go back with `sorter calibrate undo`"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A loaded site, of which only what holds for the bundle at hand is filled in.

    `site_id` names this very content; `background` is (H, W, 3) uint8 RGB, `variation` as `load_variation` gives
    it; `again` are sentences: which steps must be done again, and why. `folder` is where parts are read from.
    `taught` are the classes with examples, also where `head` does not hold.
    """

    site_id: str | None = None
    folder: Path | None = None
    region: Region | None = None
    camera: CameraStep | None = None
    background: Image | None = None
    variation: Floats | None = None
    fingerprint: Fingerprint | None = None
    temperature: float | None = None
    thresholds: Mapping[str, ClassThresholds] = field(default_factory=dict)
    head: HeadStep | None = None
    taught: tuple[str, ...] = ()
    actuators: Mapping[str, FlapStep] = field(default_factory=dict)
    again: tuple[str, ...] = ()


NO_SITE = Site()


def default_site() -> Path:
    """Where `sorter calibrate` writes and `sorter run` reads, unless the configuration names another folder."""
    return state_folder() / "site"


def load_site(path: Path, bundle: Bundle) -> Site:
    """The site in directory `path`, as far as it holds for `bundle`.

    Raises:
        MissingInputError: no such directory, or no site.toml in it.
        InvalidDataError: the file is not understood, or a part that a bin needs is missing or damaged.
    """
    encoded = read_site(path)
    described = parse_site(encoded, path / SITE)
    holds = holding(described, bundle)
    for name in holds.running_parts():
        read_part(path, name)
    background = described.background
    return Site(
        site_id=site_id(encoded),
        folder=path,
        region=described.region.region() if described.region else None,
        camera=described.camera,
        background=load_picture(path / background.picture) if background else None,
        variation=load_variation(path, background) if background else None,
        fingerprint=background.fingerprint if background else None,
        temperature=holds.temperature.value if holds.temperature else None,
        thresholds=_thresholds(holds, bundle),
        head=holds.head,
        taught=tuple(described.head.num_examples) if described.head else (),
        actuators=described.actuators,
        again=tuple(what_is_stale(described, bundle).values()),
    )


def holding(described: SiteDescription, bundle: Bundle) -> SiteDescription:
    """The site without the steps that were done with another bundle."""
    others = {name: None for name, step in model_steps(described).items() if step.bundle != bundle.bundle_id}
    return described.model_copy(update=others)


def _thresholds(holds: SiteDescription, bundle: Bundle) -> Mapping[str, ClassThresholds]:
    """Those of classes that are told apart here; one that was taught may have been forgotten since."""
    known = holds.head.labels if holds.head else bundle.manifest.labels
    found = holds.thresholds.classes if holds.thresholds else {}
    return {label: step.thresholds() for label, step in found.items() if label in known}


def read_site(path: Path) -> bytes:
    """The bytes of the site.toml in directory `path`.

    Raises:
        MissingInputError: there is none.
        PermissionError: this user may not read it.
        StorageError: the disk does not give it back.
    """
    try:
        return (path / SITE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(
            f"no site file at {path}: expected a directory with {SITE}, as `sorter calibrate` writes it"
        ) from None
    except PermissionError:
        raise
    except OSError as error:
        raise StorageError(
            f"{path / SITE} cannot be read ({error.strerror}): go back with `sorter calibrate undo`"
        ) from error


def parse_site(encoded: bytes, file: Path) -> SiteDescription:
    """The description in `encoded`; `file` only names it in errors.

    Raises:
        InvalidDataError: it is not TOML, of another schema, or breaks a rule of `SiteDescription`.
    """
    try:
        found = tomllib.loads(encoded.decode())
        if "schema" in found:
            return SiteDescription.model_validate(found)
        problem = f"no schema in it: was it cut short? Expected schema = {SCHEMA}; go back with `sorter calibrate undo`"
    except ValidationError as invalid:
        first = invalid.errors()[0]
        if first["loc"] == ("schema",):
            problem = f"schema {first['input']!r} is not known, expected {SCHEMA}: update sorter"
        else:
            problem = f"{first_problem(invalid)}: {_MEND}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as invalid:
        problem = f"not valid TOML: {str(invalid).splitlines()[0]}: {_MEND}"
    raise InvalidDataError(f"{file}: {problem}")


def load_variation(folder: Path, step: BackgroundStep) -> Floats:
    """How much each 4 x 4 pixels of the empty scene vary by themselves, (H/4, W/4) standard deviations in grey levels.

    Raises:
        InvalidDataError: it is missing or damaged.
    """
    encoded = np.frombuffer(read_part(folder, step.variation), np.uint8)
    levels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if levels is None or levels.ndim != _NUM_PLANE_AXES:
        raise InvalidDataError(f"{folder / step.variation} is no grey picture: go back with `sorter calibrate undo`")
    return np.asarray(levels, np.float32) / np.float32(VARIATION_STEPS)


def site_id(encoded: bytes) -> str:
    """What decisions call the site with these bytes of site.toml."""
    return hashlib.sha256(encoded).hexdigest()[:8]
