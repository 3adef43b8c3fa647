"""The camera that a section names."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from edge.cameras.base import Camera
from edge.cameras.csi import CsiSettings, csi_camera
from edge.cameras.film import FilmCamera
from edge.cameras.recover import CameraHealth, ReopeningCamera
from edge.cameras.replay import film_of
from edge.cameras.simulated import SimulatedFilm, load_scenes
from edge.cameras.stream import StreamSettings, stream_camera
from edge.cameras.usb import UsbSettings, usb_camera
from edge.clock import Clock, PacedClock
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
) -> Camera:
    """The camera that the configuration names; not started yet.

    One that can fail is opened again after each fault; `on_change` is told how it does. With `is_patient` a
    film waits for a machine that is too slow for it.
    """
    if isinstance(section, ReplayCameraSection):
        return FilmCamera(
            film_of(section.source, section.rate_hz, is_leisurely=is_patient), clock, is_patient=is_patient
        )
    if isinstance(section, SimulatedCameraSection):
        film = SimulatedFilm(load_scenes(), section.num_items, rate_hz=section.rate_hz, seed=section.seed)
        return FilmCamera(film, clock, is_patient=is_patient)
    return ReopeningCamera(_live_camera(section, clock), clock, on_change)


@singledispatch
def _live_camera(section: object, clock: Clock) -> Camera:
    raise NotImplementedError(f"no camera for {type(section).__name__} at {clock}")


@_live_camera.register
def _(section: UsbCameraSection, clock: Clock) -> Camera:
    controls = {str(name): value for name, value in section.controls.items()}
    settings = UsbSettings(section.device, section.width_px, section.height_px, section.rate_hz, controls=controls)
    return usb_camera(settings, clock, section.max_age_s)


@_live_camera.register
def _(section: CsiCameraSection, clock: Clock) -> Camera:
    settings = CsiSettings(
        section.index, section.width_px, section.height_px, section.rate_hz, controls=dict(section.controls)
    )
    return csi_camera(settings, clock, section.max_age_s)


@_live_camera.register
def _(section: StreamCameraSection, clock: Clock) -> Camera:
    return stream_camera(StreamSettings(section.url.get_secret_value()), clock, section.max_age_s)
