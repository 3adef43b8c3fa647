"""The whole configuration: what may be set, within which bounds, and what holds otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from edge.bundle import Label
from edge.config.actuators import (
    ActuatorSection,
    CarouselSection,
    ConfirmSection,
    GpioSection,
    LogActuatorSection,
    MovementsSection,
)
from edge.config.base import Name, Section
from edge.config.cameras import (
    CameraSection,
    CsiCameraSection,
    ReplayCameraSection,
    SimulatedCameraSection,
    StreamCameraSection,
    UsbCameraSection,
)
from edge.config.outlets import FilesSection, JournalSection, MqttSection, PicturesSection, WebhookSection
from edge.config.web import WebSection
from edge.deciding.decision import DecisionSettings
from edge.items.smoothing import SmoothingSettings
from edge.items.tracking import ItemSettings
from edge.models.signatures import KEY_PATTERN
from edge.presence.settings import PresenceSettings

__all__ = [
    "BinSection",
    "CameraSection",
    "Config",
    "CsiCameraSection",
    "DeviceSection",
    "ModelSection",
    "ReplayCameraSection",
    "Section",
    "SimulatedCameraSection",
    "StreamCameraSection",
    "UsbCameraSection",
]


class DeviceSection(Section):
    """Who this bin is: `id` names it in MQTT topics, `name` in front of people (none: the id)."""

    id: Name = "bin"
    name: str | None = Field(default=None, min_length=1, max_length=100)


class ModelSection(Section):
    """Which bundle runs, and how: on the CPU (`litert`) or a Coral; no `bundle` means the active one, or the shipped.

    With a `public_key` (`sorter model keygen` prints it) only bundles signed by its owner are loaded.
    """

    bundle: Path | None = None
    public_key: str | None = Field(default=None, pattern=KEY_PATTERN)
    backend: Literal["litert", "edgetpu"] = "litert"
    threads: int = Field(default=2, ge=1, le=16)


class BinSection(Section):
    """One bin: the labels that go into it, what opens it, and what says that it did."""

    labels: tuple[Label, ...] = ()
    takes_unknown: bool = False
    actuator: ActuatorSection = LogActuatorSection()
    confirm: ConfirmSection | None = None


class Config(Section):
    """The whole configuration, each part with its defaults."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    site: Path | None = None
    device: DeviceSection = DeviceSection()
    camera: CameraSection = SimulatedCameraSection()
    model: ModelSection = ModelSection()
    presence: PresenceSettings = PresenceSettings()
    items: ItemSettings = ItemSettings()
    smoothing: SmoothingSettings = SmoothingSettings()
    decision: DecisionSettings = DecisionSettings()
    bins: dict[Name, BinSection] = Field(default_factory=dict)
    gpio: GpioSection = GpioSection()
    movements: MovementsSection = MovementsSection()
    carousel: CarouselSection | None = None
    mqtt: MqttSection | None = None
    webhook: WebhookSection | None = None
    files: FilesSection | None = None
    journal: JournalSection = JournalSection()
    pictures: PicturesSection = PicturesSection()
    web: WebSection | None = None
