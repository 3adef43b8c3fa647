"""The camera that a section names."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from edge.cameras.base import Camera
from edge.cameras.csi import CsiSettings, csi_camera
from edge.cameras.film import FilmCamera
from edge.cameras.recover import CameraHealth, ReopeningCamera
from edge.cameras.replay import film_of
from edge.cameras.simulated import SimulatedFilm, load_scenes
from edge.cameras.stream import StreamSettings, stream_camera
from edge.cameras.usb import UsbSettings, usb_camera
from edge.clock import PacedClock
from edge.config.cameras import (
    CameraSection,
    CsiCameraSection,
    ReplayCameraSection,
    SimulatedCameraSection,
    StreamCameraSection,
    UsbCameraSection,
)


def open_camera(
    section: CameraSection,
    clock: PacedClock,
    on_change: Callable[[CameraHealth], None] = lambda _: None,
    *,
    is_patient: bool = False,
    is_awaited: bool = False,
) -> Camera:
    """The camera that the configuration names; not started yet.

    One that can fail is opened again after each fault, with `is_awaited` also where it is away at first; `on_change` is
    told how it does. With `is_patient` a film waits for a machine that is too slow for it.
    """
    match section:
        case ReplayCameraSection():
            film = film_of(section.source, section.rate_hz, is_leisurely=is_patient)
            return FilmCamera(film, clock, is_patient=is_patient)
        case SimulatedCameraSection():
            rendered = SimulatedFilm(load_scenes(), section.num_items, rate_hz=section.rate_hz, seed=section.seed)
            return FilmCamera(rendered, clock, is_patient=is_patient)
        case UsbCameraSection():
            live: Camera = usb_camera(_usb_settings(section), clock, section.max_age_s)
        case CsiCameraSection():
            live = csi_camera(_csi_settings(section), clock, section.max_age_s)
        case StreamCameraSection():
            live = stream_camera(StreamSettings(section.url.get_secret_value()), clock, section.max_age_s)
        case _:
            assert_never(section)
    return ReopeningCamera(live, clock, on_change, is_awaited=is_awaited)


def _usb_settings(section: UsbCameraSection) -> UsbSettings:
    controls = {str(name): value for name, value in section.controls.items()}
    return UsbSettings(section.device, section.width_px, section.height_px, section.rate_hz, controls=controls)


def _csi_settings(section: CsiCameraSection) -> CsiSettings:
    controls = dict(section.controls)
    return CsiSettings(section.index, section.width_px, section.height_px, section.rate_hz, controls=controls)
