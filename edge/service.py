"""A whole bin, put together from its configuration: the one place where parts meet."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from enum import Enum, auto
from functools import partial
from types import FrameType

import cv2

from edge.actuators.log import LogActuator
from edge.actuators.look import SceneWatch
from edge.actuators.worker import ActuationThread, Dispatcher, InlineActuation
from edge.assembly.actuators import open_actuators, worker_settings
from edge.assembly.cameras import open_camera
from edge.assembly.models import ModelWatch, with_model_that_starts
from edge.assembly.outlets import open_outlets
from edge.assembly.page import open_page
from edge.assembly.parts import Parts, load_parts
from edge.assembly.places import journal_path
from edge.cameras.base import Camera
from edge.clock import PacedClock
from edge.config.sections import Config
from edge.consequences import Consequences, Listener, write_report
from edge.errors import CameraError
from edge.journal import IN_MEMORY, Journal
from edge.loop import Loop
from edge.messages import Sight
from edge.notify import notify
from edge.preprocess import to_input
from edge.records import LiveIds, Recorder, ReplayedIds
from edge.telemetry import Telemetry

Observer = Callable[[Sight], None]

# How many decisions a rehearsal keeps in memory: a replay of a whole day must not fill it.
NUM_REHEARSED = 1000


@contextmanager
def open_rehearsal(
    config: Config,
    clock: PacedClock,
    listeners: Sequence[Listener],
    camera: Camera | None = None,
    announce: Callable[[str], None] = lambda _: None,
    observers: Sequence[Observer] = (),
) -> Iterator[Loop]:
    """A loop that touches nothing outside the process: journal in memory, actuators that only log.

    Ids come from the source's own times, so that the same source gives the same records again.
    `camera` stands in for the configured one; `announce` is told the page's address, if there is a page;
    `observers` see each tick.
    """
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(IN_MEMORY, clock, keep=NUM_REHEARSED)))
        parts = load_parts(config)
        actuators = {name: LogActuator(name) for name in parts.bins}
        dispatcher = InlineActuation(actuators, clock, partial(write_report, journal))
        recorder = Recorder(clock, ReplayedIds(), parts.bundle.short_name, parts.site.site_id)
        telemetry = Telemetry()
        page = open_page(stack, parts, journal, telemetry, announce=announce)
        consequences = Consequences(journal, recorder, dispatcher, [*listeners, *page.listeners])
        camera = camera or open_camera(parts.camera(), clock)
        onlookers = [*observers, *page.observers]
        yield _assemble(stack, parts, camera, consequences, dispatcher, onlookers, telemetry)


@contextmanager
def open_bin(
    config: Config,
    clock: PacedClock,
    listeners: Sequence[Listener],
    announce: Callable[[str], None] = lambda _: None,
    on_new_model: Callable[[], None] = lambda: None,
) -> Iterator[Loop]:
    """The real thing: journal on disk, actuators on their lines, decisions to whoever is to be told.

    `on_new_model` is called in the loop's thread when another model has become the active one.
    """
    with ExitStack() as stack:
        parts = with_model_that_starts(config, load_parts)
        kept = Journal(journal_path(config), clock, keep=config.journal.keep, max_bytes=config.journal.max_bytes)
        journal = stack.enter_context(closing(kept))
        scene = SceneWatch()
        actuators = open_actuators(stack, parts, scene)
        dispatcher = ActuationThread(actuators, clock, partial(write_report, journal), worker_settings(config))
        outlets = open_outlets(stack, parts, journal)
        recorder = Recorder(clock, LiveIds(clock), parts.bundle.short_name, parts.site.site_id)
        telemetry = Telemetry()
        page = open_page(stack, parts, journal, telemetry, announce=announce)
        models = ModelWatch(config, journal, on_new_model)
        told = [*listeners, *outlets, *page.listeners, *models.listeners]
        consequences = Consequences(journal, recorder, dispatcher, told)
        camera = open_camera(parts.camera(), clock)
        observers: list[Observer] = [scene, *page.observers, *models.observers]
        yield _assemble(stack, parts, camera, consequences, dispatcher, observers, telemetry)


class Ending(Enum):
    """Why a loop was left."""

    SOURCE_ENDED = auto()
    STOPPED = auto()
    RELOADED = auto()


class Requests:
    """What signals have asked of the process since it began to listen; one for its whole life."""

    def __init__(self) -> None:
        self.is_stopping = False
        self.is_reloading = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as "stop", SIGHUP as "read the configuration again". In the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def reload(self) -> None:
        """Ask for what SIGHUP asks for."""
        self.is_reloading = True

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_stopping = True

    def _reload(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_reloading = True


def serve(loop: Loop, requests: Requests, reread: Callable[[], bool] = lambda: False) -> Ending:
    """Step until the source ends, the process is asked to stop, or it is asked to reload and the scene is empty.

    `reread` reads the configuration again and returns whether it can be used; if not, the loop goes on.
    """
    is_ready = False
    ending = Ending.SOURCE_ENDED
    while True:
        try:
            if not loop.step():
                break
        except CameraError:
            # Named and logged by the camera, which opens itself again. No heartbeat: a bin that stays
            # blind is started anew by the service manager.
            if requests.is_stopping:
                break
            continue
        # After a whole step only: a heartbeat must mean that capture, inference and decision moved.
        notify("WATCHDOG=1" if is_ready else "READY=1")
        is_ready = True
        if requests.is_stopping:
            break
        # An item that lies there while the loop is replaced would be decided twice.
        if requests.is_reloading and loop.is_idle:
            requests.is_reloading = False
            if reread():
                ending = Ending.RELOADED
                break
    if requests.is_stopping:
        ending = Ending.STOPPED
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}" if ending is Ending.RELOADED else "STOPPING=1")
    loop.finish()
    return ending


def _assemble(
    stack: ExitStack,
    parts: Parts,
    camera: Camera,
    consequences: Consequences,
    dispatcher: Dispatcher,
    observers: Sequence[Observer],
    telemetry: Telemetry,
) -> Loop:
    # Threads of OpenCV's own would take the network's cores, and win nothing on pictures this small.
    cv2.setNumThreads(1)
    stack.callback(camera.close)
    camera.open()
    dispatcher.start()
    stack.callback(dispatcher.stop)

    def on_sight(sight: Sight) -> None:
        for observe in observers:
            observe(sight)

    return Loop(
        camera=camera,
        presence=parts.presence(),
        prepare=to_input,
        classifier=parts.classifier,
        tracker=parts.tracker(),
        policy=parts.policy,
        on_decision=consequences,
        telemetry=telemetry,
        max_age_s=parts.config.camera.max_age_s,
        on_sight=on_sight,
    )
