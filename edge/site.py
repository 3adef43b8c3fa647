"""The site file: what belongs to one bin and to no other.

A directory, so that pictures and small arrays lie beside the text:

    site.toml                    what each step of calibration found, and when
    background-3f2a91c04d5e.png  the empty scene, RGB, as the camera sees it
    variation-….npy              how much each part of it varies by itself
    head-….npz, taught-….npz     taught classes
    judged-….npz                 what the model said of labelled pictures
    history/000041.toml          the site.toml before the last change, and those before it

A part's name carries the digest of its content: a part is never written over, and a site.toml names
exactly the parts it was made with. So one rename of site.toml changes everything, or nothing.

What depends on the model names the bundle it was measured with. Another bundle keeps the rest, and
`Site.again` says which steps must be done again: those of another bundle, and those that a later step undermined.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Literal

import cv2
import numpy as np
from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge.bundle import Bundle, Digest, Label
from edge.deciding.rules import NEVER, ClassThresholds, Share, Threshold
from edge.drift import Fingerprint
from edge.errors import InvalidDataError, MissingInputError, first_problem
from edge.files.places import state_folder
from edge.preprocess import Image, load_picture
from edge.presence.planes import Floats
from edge.presence.settings import Region

SITE = "site.toml"
HISTORY = "history"
SCHEMA = 1

VARIATION_STEPS = 100.0  # variation.png holds hundredths of grey levels in 16 bits
_NUM_PLANE_AXES = 2
_NUM_DIGITS = 12  # of the digest in a part's name: enough to tell any two contents apart


def _part(name: str) -> str:
    if PurePosixPath(name).name != name or name.startswith(".") or "-" not in name:
        raise ValueError("must be the name of a part beside site.toml, such as background-3f2a91c04d5e.png")
    return name


PartName = Annotated[str, AfterValidator(_part)]
Count = Annotated[int, Ge(0)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Step(BaseModel):
    """What one step of calibration found, and when it did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_at: AwareDatetime


class ModelStep(Step):
    """A step whose findings hold for one bundle only."""

    bundle: Digest


class RegionStep(Step):
    """The part of the picture that counts, in shares of its width and height."""

    left: Share
    top: Share
    right: Share
    bottom: Share

    def region(self) -> Region:
        """The same as presence takes it."""
        return Region(self.left, self.top, self.right, self.bottom)


class CameraStep(Step):
    """How the camera stood: `controls` are set at every start in this order, the rest is for comparison.

    `rate_hz` is what was really reached; `sharpness` that of the focused scene.
    """

    backend: Name
    width_px: Count
    height_px: Count
    rate_hz: Annotated[float, Ge(0)]
    sharpness: Annotated[float, Ge(0)]
    controls: dict[Name, float] = Field(default_factory=dict)


class BackgroundStep(Step):
    """The empty scene: its picture, its variation and what is compared later."""

    picture: PartName
    variation: PartName
    num_frames: Count
    fingerprint: Fingerprint


class JudgedStep(ModelStep):
    """A step that labelled pictures are behind; `judged` is what the model said of each of them."""

    judged: PartName
    num_pictures: Count


class TemperatureStep(JudgedStep):
    """What logits are divided by, with the calibration error (0..1) before and after."""

    value: Annotated[float, Gt(0), Le(100)]
    ece_before: Share
    ece_after: Share


class ClassStep(BaseModel):
    """One class's thresholds, and what is behind them: `num_right` of `num_accepted` pictures, of `num_items` items."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Sites that were calibrated before there was NEVER have 1 for it.
    min_confidence: Annotated[Threshold, AfterValidator(lambda found: NEVER if found >= 1 else found)]
    min_margin: Share = 0.0
    num_accepted: Count = 0
    num_right: Count = 0
    num_items: Count = 0

    def thresholds(self) -> ClassThresholds:
        """The same as the policy takes it."""
        return ClassThresholds(self.min_confidence, self.min_margin)


class ThresholdsStep(JudgedStep):
    """When each class is accepted; `wish` says in the owner's words what was asked for."""

    wish: str
    classes: dict[Label, ClassStep]


class HeadStep(ModelStep):
    """Taught classes: `labels` are all that the head tells apart, in the order of its scores."""

    labels: tuple[Label, ...]
    head: PartName
    examples: PartName
    num_examples: dict[Label, Count]


class FlapStep(Step):
    """How one bin's servo swings: angles in degrees, times in seconds."""

    rest_angle: float
    open_angle: float
    open_s: Annotated[float, Gt(0), Le(60)]
    travel_s: Annotated[float, Gt(0), Le(60)]


class SiteDescription(BaseModel):
    """The content of site.toml: every step that was done; those that were not are absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    camera: CameraStep | None = None
    region: RegionStep | None = None
    background: BackgroundStep | None = None
    temperature: TemperatureStep | None = None
    head: HeadStep | None = None
    thresholds: ThresholdsStep | None = None
    actuators: dict[Name, FlapStep] = Field(default_factory=dict)

    def running_parts(self) -> Iterator[str]:
        """The names of the parts without which a bin cannot run."""
        if self.background is not None:
            yield from (self.background.picture, self.background.variation)
        if self.head is not None:
            yield self.head.head

    def parts(self) -> Iterator[str]:
        """The names of all parts that belong to it."""
        yield from self.running_parts()
        if self.head is not None:
            yield self.head.examples
        for step in (self.temperature, self.thresholds):
            if step is not None:
                yield step.judged


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A loaded site, of which only what holds for the bundle at hand is filled in.

    `site_id` names this very content; `background` is (H, W, 3) uint8 RGB, `variation` as `load_variation` gives
    it; `again` are sentences: which steps must be done again, and why. `folder` is where parts are read from.
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


def model_steps(described: SiteDescription) -> Mapping[str, ModelStep]:
    """The steps that were done and that hold for one bundle only, by name, in the order of doing them."""
    steps = {"head": described.head, "temperature": described.temperature, "thresholds": described.thresholds}
    return MappingProxyType({name: step for name, step in steps.items() if step is not None})


def read_site(path: Path) -> bytes:
    """The bytes of the site.toml in directory `path`.

    Raises:
        MissingInputError: there is none.
    """
    try:
        return (path / SITE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingInputError(
            f"no site file at {path}: expected a directory with {SITE}, as `sorter calibrate` writes it"
        ) from None


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
            problem = f"{first_problem(invalid)}: mend it, or go back with `sorter calibrate undo`"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as invalid:
        problem = f"not valid TOML: {str(invalid).splitlines()[0]}"
    raise InvalidDataError(f"{file}: {problem}")


def read_part(folder: Path, name: str) -> bytes:
    """The content of a part of the site in `folder`.

    Raises:
        InvalidDataError: it is missing, or not what its name says.
    """
    file = folder / name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InvalidDataError(
            f"{file} cannot be read ({error.strerror}), but {SITE} names it: copy the site again,"
            " or go back with `sorter calibrate undo`"
        ) from None
    stem, _, suffix = name.partition("-")
    if part_name(f"{stem}.{suffix.partition('.')[2]}", content) != name:
        raise InvalidDataError(f"{file} is damaged: copy the site again, or go back with `sorter calibrate undo`")
    return content


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


def part_name(kind: str, content: bytes) -> str:
    """The name under which `content` is kept.

    >>> part_name("head.npz", b"weights")
    'head-9a129038d9a0.npz'
    """
    stem, _, suffix = kind.partition(".")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:_NUM_DIGITS]}.{suffix}"


def site_id(encoded: bytes) -> str:
    """What decisions call the site with these bytes of site.toml."""
    return hashlib.sha256(encoded).hexdigest()[:8]


_LOST: Mapping[str, str] = MappingProxyType(
    {
        "head": "what you taught it is left out",
        "temperature": "how sure it may be is unknown",
        "thresholds": "when to accept each class is unknown",
    }
)
_TITLES: Mapping[str, str] = MappingProxyType(
    {"head": "taught classes", "temperature": "temperature", "thresholds": "thresholds"}
)
_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "head": "sorter teach --again",
        "temperature": "sorter calibrate temperature",
        "thresholds": "sorter calibrate thresholds",
    }
)


def what_is_stale(described: SiteDescription, bundle: Bundle) -> Mapping[str, str]:
    """The steps that must be done again, by name, each with a sentence: why, and with which command.

    Those of another bundle hold no more. Those that a later step undermined hold on, less well than they say.
    """
    return MappingProxyType(dict(_stale(described, bundle)))


def _stale(described: SiteDescription, bundle: Bundle) -> Iterator[tuple[str, str]]:
    before: dict[str, ModelStep] = {}
    for name, step in model_steps(described).items():
        run = f"run `{_COMMANDS[name]}`"
        if step.bundle != bundle.bundle_id:
            yield name, f"the model is now {bundle.short_name}, it was {step.bundle[:8]}: {_LOST[name]}: {run}"
        elif newer := [f"the {_TITLES[other]}" for other, done in before.items() if done.made_at > step.made_at]:
            yield name, f"{_TITLES[name]} older than {' and '.join(newer)}: {run}"
        before[name] = step
