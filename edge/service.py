"""A whole bin, put together from its configuration: the one place where parts meet."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from types import FrameType

from edge.actuators.log import LogActuator
from edge.actuators.look import SceneWatch
from edge.actuators.worker import ActuationThread, Dispatcher, InlineActuation
from edge.assembly.actuators import open_actuators, worker_settings
from edge.assembly.cameras import open_camera
from edge.assembly.outlets import open_outlets
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
        camera = camera or open_camera(parts.camera(), clock)
        yield _assemble(stack, parts, camera, consequences, dispatcher, ())


@contextmanager
def open_bin(config: Config, clock: PacedClock, listeners: Sequence[Listener]) -> Iterator[Loop]:
    """The real thing: journal on disk, actuators on their lines, decisions to whoever is to be told."""
    with ExitStack() as stack:
        parts = load_parts(config)
        kept = Journal(journal_path(config), clock, keep=config.journal.keep, max_bytes=config.journal.max_bytes)
        journal = stack.enter_context(closing(kept))
        scene = SceneWatch()
        actuators = open_actuators(stack, parts, scene)
        dispatcher = ActuationThread(actuators, clock, partial(write_report, journal), worker_settings(config))
        outlets = open_outlets(stack, parts, journal)
        recorder = Recorder(clock, LiveIds(clock), parts.bundle.short_name, parts.site.site_id)
        consequences = Consequences(journal, recorder, dispatcher, [*listeners, *outlets])
        camera = open_camera(parts.camera(), clock)
        yield _assemble(stack, parts, camera, consequences, dispatcher, [scene])


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


def _assemble(
    stack: ExitStack,
    parts: Parts,
    camera: Camera,
    consequences: Consequences,
    dispatcher: Dispatcher,
    observers: Sequence[Observer],
) -> Loop:
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
        telemetry=Telemetry(),
        max_age_s=parts.config.camera.max_age_s,
        on_sight=on_sight,
    )
