"""A whole bin, put together from its configuration: the one place where parts meet their settings."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, assert_never

from edge.actuators.base import Actuator
from edge.actuators.gpio import PulseActuator, PulseSettings, open_pin_factory
from edge.actuators.log import LogActuator
from edge.actuators.worker import ActuationThread, Dispatcher, InlineActuation
from edge.bundle import DEFAULT_BUNDLE, Bundle, load_bundle
from edge.cameras.base import Camera
from edge.cameras.csi import CsiSettings, csi_camera
from edge.cameras.film import FilmCamera
from edge.cameras.recover import ReopeningCamera
from edge.cameras.replay import film_of
from edge.cameras.simulated import SimulatedFilm, load_stage
from edge.cameras.stream import StreamSettings, stream_camera
from edge.cameras.usb import UsbSettings, usb_camera
from edge.classifiers.litert import LiteRTClassifier
from edge.clock import PacedClock
from edge.config.sections import (
    CameraSection,
    Config,
    CsiCameraSection,
    GpioActuatorSection,
    LogActuatorSection,
    ReplayCameraSection,
    SimulatedCameraSection,
    StreamCameraSection,
    UsbCameraSection,
)
from edge.consequences import Consequences, Listener, write_report
from edge.decision import DecisionPolicy
from edge.errors import CameraError
from edge.journal import IN_MEMORY, Journal
from edge.loop import Loop
from edge.notify import notify
from edge.novelty import load_novelty
from edge.passing import PassingTracker
from edge.places import state_folder
from edge.preprocess import to_input
from edge.presence import PresenceDetector, PresenceSettings
from edge.publishers.mqtt import MqttPublisher, MqttSettings
from edge.records import LiveIds, Recorder, ReplayedIds
from edge.routing import route
from edge.site import NO_SITE, Site, load_site
from edge.telemetry import Telemetry
from edge.tracking import Mode, RestTracker, Tracker

if TYPE_CHECKING:
    from gpiozero import Factory

log = logging.getLogger(__name__)

# How many decisions a rehearsal keeps in memory: a replay of a whole day must not fill it.
NUM_REHEARSED = 1000


def check_config(config: Config) -> None:
    """Load what the configuration names and check that it fits together; touch no hardware.

    Raises:
        SorterError: the bundle, the site file, the thresholds or the bins do not fit.
    """
    load_parts(config)


@contextmanager
def open_rehearsal(
    config: Config, clock: PacedClock, listeners: Sequence[Listener], camera: Camera | None = None
) -> Iterator[Loop]:
    """A loop that touches nothing outside the process: journal in memory, actuators that only log.

    Ids come from the source's own times, so that the same source gives the same records again.
    `camera` stands in for the configured one.
    """
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(IN_MEMORY, clock, keep=NUM_REHEARSED)))
        parts = load_parts(config)
        actuators = {name: LogActuator(name) for name in parts.bins}
        dispatcher = InlineActuation(actuators, clock, partial(write_report, journal))
        recorder = Recorder(clock, ReplayedIds(), parts.bundle.short_name, parts.site.site_id)
        consequences = Consequences(journal, recorder, dispatcher, listeners)
        camera = camera or open_camera(_as_calibrated(config.camera, parts.site), clock)
        yield _assemble(stack, config, parts, camera, consequences, dispatcher)


@contextmanager
def open_bin(config: Config, clock: PacedClock, listeners: Sequence[Listener]) -> Iterator[Loop]:
    """The real thing: journal on disk, actuators on their lines, decisions to the broker."""
    with ExitStack() as stack:
        parts = load_parts(config)
        journal = stack.enter_context(closing(Journal(journal_path(config), clock)))
        actuators = _open_actuators(stack, config, parts.bins)
        dispatcher = ActuationThread(actuators, clock, partial(write_report, journal))
        recorder = Recorder(clock, LiveIds(clock), parts.bundle.short_name, parts.site.site_id)
        if config.mqtt is not None:
            settings = MqttSettings(config.device.id, **config.mqtt.model_dump())
            publisher = MqttPublisher(settings, journal.outbox("mqtt"), journal.counts)
            publisher.start()
            stack.callback(publisher.stop)
            listeners = [*listeners, publisher.tell]
        consequences = Consequences(journal, recorder, dispatcher, listeners)
        camera = open_camera(_as_calibrated(config.camera, parts.site), clock)
        yield _assemble(stack, config, parts, camera, consequences, dispatcher)


def serve(loop: Loop) -> None:
    """Step until the source ends or the process is asked to stop by SIGTERM or SIGINT."""
    is_stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    is_ready = False
    has_more = True
    while has_more and not is_stopping:
        try:
            has_more = loop.step()
        except CameraError:
            # Named and logged by the camera, which opens itself again. No heartbeat: a bin that stays
            # blind is started anew by the service manager.
            continue
        # After a whole step only: a heartbeat must mean that capture, inference and decision moved.
        notify("WATCHDOG=1" if is_ready else "READY=1")
        is_ready = True
    notify("STOPPING=1")
    loop.finish()


def journal_path(config: Config) -> Path:
    """Where decisions are kept: as configured, else in the state folder."""
    if config.journal.path is not None:
        return config.journal.path
    return state_folder() / "journal.sqlite"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a configuration names, loaded and found to fit together."""

    bundle: Bundle
    site: Site
    classifier: LiteRTClassifier
    policy: DecisionPolicy
    bins: tuple[str, ...]


def load_parts(config: Config) -> Parts:
    """Bundle, site file and classifier that the configuration names, found to fit together; no hardware.

    Raises:
        SorterError: one of them is missing or damaged, or they contradict each other.
    """
    bundle = load_bundle(config.model.bundle or DEFAULT_BUNDLE)
    site = NO_SITE if config.site is None else load_site(config.site, bundle)
    for sentence in site.again:
        log.warning("site %s: %s", config.site, sentence)
    labels = bundle.manifest.labels
    unknown_bin = next((name for name, section in config.bins.items() if section.takes_unknown), None)
    routing = route({name: section.labels for name, section in config.bins.items()}, labels, unknown_bin)
    settings = replace(config.decision, classes={**site.thresholds, **config.decision.classes})
    return Parts(
        bundle=bundle,
        site=site,
        classifier=LiteRTClassifier(bundle, config.model.threads, site.temperature),
        policy=DecisionPolicy(settings, labels, routing, load_novelty(bundle)),
        bins=tuple(sorted({*routing.bin_of_label.values(), *config.bins})),
    )


def _assemble(
    stack: ExitStack,
    config: Config,
    parts: Parts,
    camera: Camera,
    consequences: Consequences,
    dispatcher: Dispatcher,
) -> Loop:
    stack.callback(camera.close)
    camera.open()
    dispatcher.start()
    stack.callback(dispatcher.stop)
    return Loop(
        camera=camera,
        presence=PresenceDetector(presence_settings(config, parts.site), parts.site.background),
        prepare=to_input,
        classifier=parts.classifier,
        tracker=_tracker(config),
        policy=parts.policy,
        on_decision=consequences,
        telemetry=Telemetry(),
        max_age_s=config.camera.max_age_s,
    )


def _as_calibrated(section: CameraSection, site: Site) -> CameraSection:
    """The camera with the controls that calibration locked; those that the configuration names hold."""
    if not isinstance(section, UsbCameraSection | CsiCameraSection):
        return section
    if site.camera is None or site.camera.backend != section.backend:
        return section
    return section.model_copy(update={"controls": {**site.camera.controls, **section.controls}})


def presence_settings(config: Config, site: Site) -> PresenceSettings:
    """When something counts as an item, with the region of the site."""
    settings = replace(config.presence, region=site.region) if site.region else config.presence
    # A belt may never lie still: without a reference its first frame must do.
    return replace(settings, learn_s=0.0) if config.items.mode is Mode.PASSING else settings


def _tracker(config: Config) -> Tracker:
    match config.items.mode:
        case Mode.REST:
            return RestTracker(config.smoothing)
        case Mode.PASSING:
            return PassingTracker(config.items, config.smoothing)


def open_camera(section: CameraSection, clock: PacedClock) -> Camera:
    """The camera that the configuration names; not started yet."""
    match section:
        case UsbCameraSection():
            usb = UsbSettings(
                section.device,
                section.width_px,
                section.height_px,
                section.rate_hz,
                controls={str(name): value for name, value in section.controls.items()},
            )
            return ReopeningCamera(usb_camera(usb, clock, section.max_age_s), clock)
        case CsiCameraSection():
            csi = CsiSettings(
                section.index,
                section.width_px,
                section.height_px,
                section.rate_hz,
                controls={str(name): value for name, value in section.controls.items()},
            )
            return ReopeningCamera(csi_camera(csi, clock, section.max_age_s), clock)
        case StreamCameraSection():
            return ReopeningCamera(stream_camera(StreamSettings(section.url), clock, section.max_age_s), clock)
        case ReplayCameraSection():
            return FilmCamera(film_of(section.source, section.rate_hz), clock)
        case SimulatedCameraSection():
            film = SimulatedFilm(load_stage(), section.num_items, rate_hz=section.rate_hz, seed=section.seed)
            return FilmCamera(film, clock)
        case _:
            assert_never(section)


def _open_actuators(stack: ExitStack, config: Config, bins: Sequence[str]) -> dict[str, Actuator]:
    """An actuator for each bin; bins without a section, and those that say so, only log."""
    sections = {name: config.bins[name].actuator if name in config.bins else LogActuatorSection() for name in bins}
    needs_lines = any(isinstance(section, GpioActuatorSection) for section in sections.values())
    factory = open_pin_factory() if needs_lines else None
    if factory is not None:
        stack.callback(factory.close)
    return {name: _actuator(name, section, factory) for name, section in sections.items()}


def _actuator(name: str, section: LogActuatorSection | GpioActuatorSection, factory: Factory | None) -> Actuator:
    match section:
        case LogActuatorSection():
            return LogActuator(name)
        case GpioActuatorSection():
            return PulseActuator(PulseSettings(section.pin, section.pulse_s, section.active_high), factory)
        case _:
            assert_never(section)
