"""The sections of the configuration: what may be set, within which bounds, and what holds otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from edge.decision import DecisionSettings
from edge.presence.settings import PresenceSettings
from edge.smoothing import SmoothingSettings
from edge.tracking import ItemSettings

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """A part of the configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceSection(Section):
    """Who this bin is; `id` names it in MQTT topics."""

    id: Name = "bin"


# The controls of `edge.cameras.usb`, by name; here too, so that a wrong one is an error of the file.
UsbControl = Literal[
    "auto_exposure", "exposure", "gain", "auto_white_balance", "white_balance_k", "autofocus", "focus",
    "brightness", "contrast", "saturation", "sharpness", "zoom",
]  # fmt: skip


class UsbCameraSection(Section):
    """A V4L2 camera. `device` is a path, best one below /dev/v4l/by-id, which survives renumbering."""

    backend: Literal["usb"]
    device: str = "/dev/video0"
    width_px: int = Field(default=1280, ge=64, le=8192)
    height_px: int = Field(default=720, ge=64, le=8192)
    rate_hz: float = Field(default=30.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)
    controls: dict[UsbControl, float] = Field(default_factory=dict, description="set in this order")


class CsiCameraSection(Section):
    """A Raspberry Pi camera module; `index` counts as `rpicam-hello --list-cameras` does."""

    backend: Literal["csi"]
    index: int = Field(default=0, ge=0, le=7)
    width_px: int = Field(default=1280, ge=64, le=8192)
    height_px: int = Field(default=720, ge=64, le=8192)
    rate_hz: float = Field(default=30.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)
    controls: dict[str, float] = Field(default_factory=dict, description="libcamera controls")


class StreamCameraSection(Section):
    """A network camera; `url` is rtsp:// or http://, and may carry user and password."""

    backend: Literal["stream"]
    url: str = Field(repr=False)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


class ReplayCameraSection(Section):
    """A video file or a folder of pictures, every frame once; `rate_hz` is for folders only."""

    backend: Literal["replay"]
    source: Path
    rate_hz: float = Field(default=12.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


class SimulatedCameraSection(Section):
    """Rendered items that come and go before a simulated camera; the same seed, the same film."""

    backend: Literal["simulated"] = "simulated"
    seed: int = Field(default=1, ge=0)
    num_items: int = Field(default=12, ge=1, le=100_000)
    rate_hz: float = Field(default=12.0, gt=0, le=240)
    max_age_s: float = Field(default=2.0, gt=0, le=60)


CameraSection = Annotated[
    UsbCameraSection | CsiCameraSection | StreamCameraSection | ReplayCameraSection | SimulatedCameraSection,
    Field(discriminator="backend"),
]


class ModelSection(Section):
    """Which bundle runs, and how; no `bundle` means the shipped one."""

    bundle: Path | None = None
    backend: Literal["litert"] = "litert"
    threads: int = Field(default=2, ge=1, le=16)


class LogActuatorSection(Section):
    """Moves nothing and says so in the log."""

    kind: Literal["log"] = "log"


class GpioActuatorSection(Section):
    """One relay or LED on a GPIO line, by BCM number, on for `pulse_s`."""

    kind: Literal["gpio"]
    pin: int = Field(ge=0, le=53)
    active_high: bool = True
    pulse_s: float = Field(default=1.0, gt=0, le=60)


ActuatorSection = Annotated[LogActuatorSection | GpioActuatorSection, Field(discriminator="kind")]


class BinSection(Section):
    """One bin: the labels that go into it, and what opens it."""

    labels: tuple[str, ...] = ()
    takes_unknown: bool = False
    actuator: ActuatorSection = LogActuatorSection()


class MqttSection(Section):
    """The broker and how to get in; the password is best given by the environment.

    `use_tls` checks the broker against the system's certificates, `ca_file` against that file;
    `certificate_file` with `key_file` adds the bin's own.
    """

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    username: str | None = None
    password: str | None = Field(default=None, repr=False)
    use_tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = Field(default=30, ge=5, le=3600)


class JournalSection(Section):
    """Where decisions are kept; no `path` means the state directory."""

    path: Path | None = None


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
    mqtt: MqttSection | None = None
    journal: JournalSection = JournalSection()

    @model_validator(mode="after")
    def _one_hardware_line_each(self) -> Self:
        if sum(section.takes_unknown for section in self.bins.values()) > 1:
            raise ValueError("takes_unknown is set for more than one bin: at most one can take them")
        owner: dict[int, str] = {}
        for name, section in self.bins.items():
            if isinstance(section.actuator, GpioActuatorSection):
                other = owner.setdefault(section.actuator.pin, name)
                if other != name:
                    raise ValueError(f"pin {section.actuator.pin} serves bins.{other} and bins.{name}")
        return self
