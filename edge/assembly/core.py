"""What a bin has around its loop: journal, outlets, controls, pictures, and what is wrong, tied to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

from edge.actuators.look import SceneWatch
from edge.actuators.worker import ActuationThread, make_all_safe
from edge.assembly.actuators import open_actuators, worker_settings
from edge.assembly.models import before_now, install_latest, latest_model, open_installer
from edge.assembly.outlets import Outlets, open_outlets
from edge.assembly.parts import Parts
from edge.assembly.places import journal_path, pictures_folder
from edge.cameras.recover import CameraHealth
from edge.clock import Clock
from edge.config.sections import Config
from edge.drift import DriftWatch
from edge.files.pictures import PictureReader, PictureRing, PictureSettings
from edge.host.kernel import hottest_c
from edge.host.notify import notify
from edge.items.trace import Tracer
from edge.journal import Journal, JournalView
from edge.messages import Decision, Sight
from edge.publishers.commands import Inbox
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.state import BinState, StateReporter
from edge.running.consequences import Listener, Outcomes
from edge.running.controls import Controls
from edge.running.day_budget import DayBudget
from edge.running.farewell import Farewell
from edge.running.problems import Problems
from edge.running.scribe import Scribe, ScribeSettings
from edge.running.telemetry import Telemetry

Observer = Callable[[Sight], None]


@dataclass(frozen=True, slots=True)
class Core:
    """All of it, started. `view` is the journal for other threads to read.

    `observers` look on with the loop, `listeners` are told of each decision, `attendants` are called
    after each tick.
    """

    clock: Clock
    telemetry: Telemetry
    problems: Problems
    journal: Journal
    view: JournalView
    scribe: Scribe
    outcomes: Outcomes
    controls: Controls
    tracer: Tracer
    budget: DayBudget
    scene: SceneWatch
    pictures: PictureReader | None
    observers: tuple[Observer, ...]
    listeners: tuple[Listener, ...]
    attendants: tuple[Callable[[], None], ...]

    def trace(self, decision: Decision) -> str | None:
        """What is kept for `sorter explain`; None when no more is to be written today."""
        trace = self.tracer.trace(decision)  # in any case: it also forgets
        return None if self.budget.is_spent else trace

    def camera_changed(self, health: CameraHealth) -> None:
        """The camera failed in another way, or works again."""
        self.problems.report("camera", None if health.fault is None else f"camera {health.fault}: {health.detail}")


def open_core(stack: Farewell, parts: Parts, clock: Clock, on_new_model: Callable[[], None]) -> Core:
    """Open and start what the configuration names; `stack` ends it. `on_new_model` asks for a reload.

    Raises:
        SorterError: the journal or a publisher cannot be opened.
    """
    config, problems, telemetry = parts.config, Problems(), Telemetry()
    journal = stack.enter_context(closing(_journal(config, clock)))
    view = stack.enter_context(closing(journal.view()))
    scribe = stack.enter_context(closing(_scribe(config, journal, problems)))
    inbox = Inbox(parts.classifier.labels)
    outlets = open_outlets(stack, parts, journal, inbox.receive)
    outcomes = Outcomes(scribe, clock, problems)
    policy = parts.policy
    install = partial(install_latest, config, journal, on_new_model)
    installer = open_installer(stack, parts, partial(before_now, view), outlets.tell_install, on_new_model)
    controls = Controls(inbox, journal, scribe.try_later, policy.min_confidence, policy.adjust, install, installer.ask)
    tracer = Tracer(parts.classifier.labels, policy.rule_for, telemetry.percentiles_ms)
    scene = SceneWatch()
    budget = stack.enter_context(
        closing(DayBudget(config.journal.max_bytes_a_day, clock, journal, scribe.try_later, problems))
    )
    ring = _open_ring(stack, parts, journal, outlets, budget, problems)
    attendants: list[Callable[[], None]] = [controls.attend, partial(outlets.report, problems), budget.attend]
    if outlets.mqtt is not None:
        reporter = _reporter(parts, clock, telemetry, controls, journal, outlets.mqtt)
        problems.listen(reporter.problems)
        outcomes.listen(partial(outlets.mqtt.send, "actuation"))
        attendants.append(reporter.report)
    problems.report("model", parts.complaint)
    problems.report("damaged journal", journal.complaint)
    problems.report("site", "; ".join(parts.site.again) or None)
    problems.listen(_tell_manager)
    folder = pictures_folder(config)
    return Core(
        clock=clock,
        telemetry=telemetry,
        problems=problems,
        journal=journal,
        view=view,
        scribe=scribe,
        outcomes=outcomes,
        controls=controls,
        tracer=tracer,
        budget=budget,
        scene=scene,
        pictures=None if folder is None else PictureReader(folder),
        observers=(scene, tracer, *_drift_watch(parts, problems), *([] if ring is None else [ring.see])),
        listeners=(*outlets.listeners, *([] if ring is None else [ring.tell])),
        attendants=tuple(attendants),
    )


def open_dispatcher(stack: ExitStack, parts: Parts, core: Core) -> ActuationThread:
    """The actuators on their lines, each in its safe position, and the thread that will move them.

    Raises:
        SorterError: as `open_actuators`.
    """
    actuators = open_actuators(stack, parts.config, parts.bins, parts.site.actuators, core.scene)
    # Now, and not when the camera is there: after a power cut a flap may stand anywhere.
    make_all_safe(actuators)
    settings, controls = worker_settings(parts.config), core.controls
    return ActuationThread(actuators, core.clock, core.outcomes, settings, may_move=lambda: controls.is_enabled)


def _tell_manager(sentences: Sequence[str]) -> None:
    """What `systemctl status` shows, and `sorter doctor`: one line."""
    notify(f"STATUS={' '.join('; '.join(sentences).split())}")


def _journal(config: Config, clock: Clock) -> Journal:
    return Journal(journal_path(config), clock, keep=config.journal.keep, max_bytes=config.journal.max_bytes)


def _scribe(config: Config, journal: Journal, problems: Problems) -> Scribe:
    # Half of what a movement may wait: the rest is for the actuators.
    patience_s = min(ScribeSettings().patience_s, config.movements.max_age_s / 2)
    return Scribe(journal, problems, ScribeSettings(patience_s))


def _drift_watch(parts: Parts, problems: Problems) -> list[Observer]:
    background = parts.site.background
    if background is None:
        return []
    return [DriftWatch(background, parts.presence_settings.region, partial(problems.report, "scene"))]


def _open_ring(
    stack: Farewell, parts: Parts, journal: Journal, outlets: Outlets, budget: DayBudget, problems: Problems
) -> PictureRing | None:
    section, folder = parts.config.pictures, pictures_folder(parts.config)
    if folder is None:
        return None
    settings = PictureSettings(folder, **section.model_dump(exclude={"enabled", "path"}))
    show = (lambda _: None) if outlets.mqtt is None else partial(outlets.mqtt.send, "snapshot")
    ring = PictureRing(
        settings,
        journal.corrected_ids,
        show,
        may_write=lambda: not budget.is_spent,
        on_problem=partial(problems.report, "pictures"),
    )
    ring.start()
    stack.stopping(ring.stop)
    return ring


def _reporter(
    parts: Parts, clock: Clock, telemetry: Telemetry, controls: Controls, journal: Journal, mqtt: MqttPublisher
) -> StateReporter:
    def state_now(temperature_c: float | None) -> BinState:
        return BinState(
            phase=telemetry.phase,
            is_enabled=controls.is_enabled,
            unknown_threshold=controls.unknown_threshold,
            model=parts.bundle.short_name,
            latest_model=latest_model(parts.config, parts.bundle.short_name),
            temperature_c=temperature_c,
        )

    return StateReporter(mqtt, clock, state_now, journal.counts, parts.bins, hottest_c)
