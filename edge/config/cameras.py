"""The camera's section, one class for each backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from edge.config.base import Section

# The controls of `edge.cameras.usb`, by name; here too, so that a wrong one is an error of the file.
UsbControl = Literal[
    "auto_exposure", "exposure", "gain", "auto_white_balance", "white_balance_k", "autofocus", "focus",
    "brightness", "contrast", "saturation", "sharpness", "zoom",
]  # fmt: skip


def _is_here(place: object) -> object:
    # Before it becomes a path, which has one slash of the two.
    if "://" in str(place):
        raise ValueError("this is an address: for a camera in the network set camera.url instead")
    return place


_Here = BeforeValidator(_is_here)


class UsbCameraSection(Section):
    """A V4L2 camera. `device` is a path, best one below /dev/v4l/by-id, which survives renumbering."""

    backend: Literal["usb"]
    device: Annotated[str, _Here] = "/dev/video0"
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
    controls: dict[str, float] = Field(
        default_factory=dict, description="libcamera controls; ColourGains as ColourGainRed and ColourGainBlue"
    )


class StreamCameraSection(Section):
    """A network camera; `url` is rtsp:// or http://, and may carry user and password."""

    backend: Literal["stream"]
    url: SecretStr
    max_age_s: float = Field(default=2.0, gt=0, le=60)


class ReplayCameraSection(Section):
    """A video file or a folder of pictures, every frame once; `rate_hz` is for folders only."""

    backend: Literal["replay"]
    source: Annotated[Path, _Here]
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
