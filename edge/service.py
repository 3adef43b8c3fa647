"""A whole bin, put together from its configuration: the one place where parts meet."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from enum import Enum, auto
from types import FrameType

import cv2

from edge.assembly.cameras import open_camera
from edge.assembly.core import Observer, open_core, open_dispatcher
from edge.assembly.models import ModelWatch, with_model_that_starts
from edge.assembly.page import find_teacher, open_page
from edge.assembly.parts import Parts, load_parts
from edge.cameras.base import Camera
from edge.clock import PacedClock
from edge.config.sections import Config
from edge.errors import CameraError, SorterError
from edge.host.notify import is_supervised, notify
from edge.journal import IN_MEMORY, Journal
from edge.journal.entries import LAST
from edge.loop import Loop
from edge.messages import Sight
from edge.preprocess import to_input
from edge.records import LiveIds, Recorder, ReplayedIds
from edge.running.bin import RunningBin, Steps
from edge.running.consequences import Consequences, Listener
from edge.running.farewell import Farewell
from edge.running.problems import Problems
from edge.running.scribe import Scribe
from edge.running.telemetry import Telemetry

_log = logging.getLogger(__name__)

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
    """A loop that touches nothing outside the process: journal in memory, and nothing moves.

    Ids come from the source's own times, so that the same source gives the same records again.
    `camera` stands in for the configured one; `announce` is told the page's address, if there is a page;
    `observers` see each tick.
    """
    with Farewell() as stack:
        journal = stack.enter_context(closing(Journal(IN_MEMORY, clock, keep=NUM_REHEARSED)))
        parts = load_parts(config)
        telemetry, problems = Telemetry(), Problems()
        page = open_page(
            stack, parts, journal=journal, telemetry=telemetry, problems=problems.sentences, announce=announce
        )
        scribe = stack.enter_context(closing(Scribe(journal, problems)))
        recorder = Recorder(clock, ReplayedIds(), parts.bundle.short_name, parts.site.site_id)
        consequences = Consequences(scribe, recorder, None, [*listeners, *page.listeners])
        camera = camera or open_camera(parts.camera(), clock)
        onlookers = [*observers, *page.observers]
        yield _assemble(stack, parts, camera, consequences, onlookers, telemetry)


@contextmanager
def open_bin(
    config: Config,
    clock: PacedClock,
    listeners: Sequence[Listener],
    announce: Callable[[str], None] = lambda _: None,
    on_new_model: Callable[[], None] = lambda: None,
) -> Iterator[RunningBin]:
    """The real thing: journal on disk, actuators on their lines, decisions to whoever is to be told.

    `on_new_model` is called, from any thread, when another model has become the active one or a class was taught.
    """
    with Farewell() as stack:
        parts = with_model_that_starts(config, load_parts)
        core = open_core(stack, parts, clock, on_new_model)
        dispatcher = open_dispatcher(stack, parts, core)
        page = open_page(
            stack,
            parts,
            journal=core.view,
            telemetry=core.telemetry,
            problems=core.problems.sentences,
            pictures=core.pictures,
            announce=announce,
            teacher=find_teacher(parts, on_new_model),
            controls=core.controls,
        )
        models = ModelWatch(config, core.journal, core.scribe.try_later, on_new_model)
        newest = core.journal.find(LAST)
        ids = LiveIds(clock, None if newest is None else newest.id)
        consequences = Consequences(
            core.scribe,
            Recorder(clock, ids, parts.bundle.short_name, parts.site.site_id),
            dispatcher,
            [*listeners, *core.listeners, *page.listeners, *models.listeners],
            may_move=lambda: core.controls.is_enabled,
            trace_of=core.trace,
            on_report=core.outcomes,
        )
        # At a terminal a camera that is not there is most likely a wrong setting, and an error.
        is_service = is_supervised()
        camera = open_camera(parts.camera(), clock, core.camera_changed, is_patient=True, is_awaited=is_service)
        observers = [*core.observers, *page.observers, *models.observers]
        loop = _assemble(stack, parts, camera, consequences, observers, core.telemetry)
        # Started last: what keeps the bin from its beginning is an error before anything can move.
        dispatcher.start()
        stack.stopping(dispatcher.stop)
        attendants = [consequences.catch_up, *core.attendants]
        yield RunningBin(
            loop,
            attendants,
            lambda: core.controls.wants_restart,
            lambda: consequences.is_moving,
            is_started_again=is_service,
        )


class Ending(Enum):
    """Why a loop was left."""

    SOURCE_ENDED = auto()
    STOPPED = auto()
    RELOADED = auto()


class Requests:
    """What signals have asked of the process since it began to listen; one for its whole life.

    A thread that an error has ended asks for its end, too: without it a bin would look well and be dumb, or deaf.

    While a bin `is_opening` there is nothing to end: the first SIGTERM or SIGINT does what it did before `listen`,
    which in a command is to unwind it at once, whatever a camera takes to answer.
    """

    def __init__(self) -> None:
        self.is_stopping = False
        self.is_reloading = False
        self.is_opening = False
        self.failure: BaseException | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as "stop", SIGHUP as "read the configuration again". In the main thread.

        From here on the death of a thread is `failure`.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        threading.excepthook = self._mourn

    def reload(self) -> None:
        """Ask for what SIGHUP asks for."""
        self.is_reloading = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.is_stopping = True
        before = self._before.get(number)
        if self.is_opening and callable(before):
            self.is_opening = False
            before(number, frame)

    def _reload(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_reloading = True

    def _mourn(self, death: threading.ExceptHookArgs) -> None:
        if death.exc_value is None or isinstance(death.exc_value, SystemExit):
            return
        name = "a thread" if death.thread is None else f"the thread {death.thread.name}"
        # The command says what such an error says; where another one comes from is for who mends it.
        trace = None if isinstance(death.exc_value, SorterError) else death.exc_value
        _log.critical("%s has ended by an error, and the bin with it", name, exc_info=trace)
        self.failure = death.exc_value


def serve(loop: Steps, requests: Requests, reread: Callable[[], bool] = lambda: False) -> Ending:
    """Step until the source ends, the process is asked to stop, or it is asked to reload and the scene is empty.

    `reread` reads the configuration again and returns whether it can be used; if not, the loop goes on.

    Raises:
        Exception: what ended one of the bin's threads.
    """
    requests.is_opening = False
    is_ready = False
    ending = Ending.SOURCE_ENDED
    while True:
        if requests.failure is not None:
            raise requests.failure
        # A fault is named and logged by the camera, which opens itself again; its bin lives on, and says so.
        with suppress(CameraError):
            if not loop.step():
                break
        # After a step only: a heartbeat must mean that nothing of capture, inference and decision hangs.
        is_ready |= notify("WATCHDOG=1" if is_ready else "READY=1")  # said again where the manager was too busy
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
    observers: Sequence[Observer],
    telemetry: Telemetry,
) -> Loop:
    # Threads of OpenCV's own would take the network's cores, and win nothing on pictures this small.
    cv2.setNumThreads(1)
    stack.callback(camera.close)
    camera.open()

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
        is_moving=lambda: consequences.is_moving,
    )
