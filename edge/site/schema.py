"""What stands in a site.toml: each step of calibration, with what it found and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from edge.bundle import Digest, Label
from edge.deciding.rules import NEVER, ClassThresholds, Share, Threshold
from edge.drift import Fingerprint
from edge.presence.settings import Region
from edge.site.parts import PartName

SCHEMA = 1

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

    @model_validator(mode="after")
    def _is_a_region(self) -> RegionStep:
        self.region()
        return self

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


def model_steps(described: SiteDescription) -> Mapping[str, ModelStep]:
    """The steps that were done and that hold for one bundle only, by name, in the order of doing them."""
    steps = {"head": described.head, "temperature": described.temperature, "thresholds": described.thresholds}
    return MappingProxyType({name: step for name, step in steps.items() if step is not None})
