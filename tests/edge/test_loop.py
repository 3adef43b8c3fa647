"""One tick after another, over a drawn scene, with real presence, journal and smoothing."""

from __future__ import annotations

import resource
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge.actuators.base import Actuator
from edge.actuators.worker import ActuationReport, Command, obey
from edge.cameras.film import FilmCamera
from edge.classifiers.scripted import ScriptedClassifier
from edge.clock import Clock, ReplayClock
from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import route
from edge.errors import CameraError, CameraLostError, StaleFrameError, StorageError
from edge.items.resting import RestTracker
from edge.items.smoothing import SmoothingSettings
from edge.journal import IN_MEMORY, Journal
from edge.loop import Loop
from edge.messages import Box, Decision, Frame, Image, InputSpec, Outcome, Sight
from edge.preprocess import to_input
from edge.presence import PresenceDetector
from edge.records import DecisionRecord, Recorder, ReplayedIds
from edge.running.consequences import Consequences, Outcomes
from edge.running.problems import Problems
from edge.running.scribe import Scribe
from edge.running.telemetry import Telemetry

LABELS = ("can", "paper")
RATE_HZ = 12
SPEC = InputSpec(32, 32)


class DrawnFilm:
    """A gray scene with a noisy sensor; `visits` are (first, last) frames of a block that lies there."""

    def __init__(self, num_frames: int, visits: list[tuple[int, int]]) -> None:
        self._num_frames = num_frames
        self._visits = visits

    def play(self) -> Generator[tuple[float, Image]]:
        chance = np.random.default_rng(7)
        for index in range(self._num_frames):
            image = np.full((120, 160, 3), 120, np.uint8)
            if any(first <= index <= last for first, last in self._visits):
                image[40:85, 60:105] = (200, 60, 40)
                image[50:75, 70:95] = (40, 60, 200)
            yield index / RATE_HZ, image + chance.integers(0, 5, image.shape, np.uint8)


class FailingCamera(FilmCamera):
    """A film whose camera fails once, when `num_frames` frames were given."""

    def __init__(self, film: DrawnFilm, clock: ReplayClock, num_frames: int, fault: CameraError) -> None:
        super().__init__(film, clock)
        self._left = num_frames
        self._fault = fault

    def next_frame(self, timeout_s: float) -> Frame | None:
        self._left -= 1
        if self._left == -1:
            raise self._fault
        return super().next_frame(timeout_s)


class RecordingActuator:
    """Keeps how many decisions the journal held whenever it moved."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.journal_sizes: list[int] = []

    def actuate(self) -> None:
        self.journal_sizes.append(len(self._journal.decisions()))

    def make_safe(self) -> None:
        pass

    def close(self) -> None:
        pass


class InlineActuation:
    """A Dispatcher that moves in the caller's thread, before `submit` returns, so that the order repeats."""

    is_busy = False

    def __init__(self, actuator: Actuator, clock: Clock, on_report: Callable[[ActuationReport], None]) -> None:
        self._actuator = actuator
        self._clock = clock
        self._on_report = on_report

    def start(self) -> None:
        self._actuator.make_safe()

    def submit(self, command: Command) -> bool:
        self._on_report(obey(self._actuator, command, self._clock))
        return True

    def stop(self, timeout_s: float = 5.0) -> None:  # noqa: ARG002 - nothing here can hang
        self._actuator.close()


def loop_over(
    film: DrawnFilm,
    classifier: ScriptedClassifier,
    journal: Journal,
    told: Callable[[DecisionRecord], None] = lambda _: None,
    seen: Callable[[Sight], None] = lambda _: None,
    fault: tuple[int, CameraError] | None = None,
    is_moving: Callable[[], bool] = lambda: False,
    prepare: Callable[[Image, InputSpec, Box | None, int], Image] = to_input,
) -> tuple[Loop, list[DecisionRecord], RecordingActuator]:
    clock = ReplayClock()
    camera = FilmCamera(film, clock) if fault is None else FailingCamera(film, clock, *fault)
    camera.open()
    actuator = RecordingActuator(journal)
    problems = Problems()
    scribe = Scribe(journal, problems)
    dispatcher = InlineActuation(actuator, clock, Outcomes(scribe, clock, problems))
    records: list[DecisionRecord] = []
    recorder = Recorder(clock, ReplayedIds(), "scripted@0")
    loop = Loop(
        camera=camera,
        presence=PresenceDetector(),
        prepare=prepare,
        classifier=classifier,
        tracker=RestTracker(SmoothingSettings()),
        policy=DecisionPolicy(DecisionSettings(), LABELS, route({}, LABELS, None)),
        on_decision=Consequences(scribe, recorder, dispatcher, [records.append, told]),
        telemetry=Telemetry(),
        max_age_s=1.0,
        on_sight=seen,
        is_moving=is_moving,
    )
    return loop, records, actuator


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(Journal(IN_MEMORY, ReplayClock())) as opened:
        yield opened


def test_each_visit_is_decided_once_and_written_down_before_anything_moves(journal: Journal) -> None:
    film = DrawnFilm(200, [(40, 80), (120, 160)])
    loop, told, actuator = loop_over(film, ScriptedClassifier(LABELS, ["can"], input_spec=SPEC), journal)
    loop.run_to_end()
    assert [record.decision.outcome for record in told] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert [record.seq for record in told] == [1, 2]
    assert actuator.journal_sizes == [1, 2]
    first = told[0].decision
    assert 40 / RATE_HZ < first.decided_s < 80 / RATE_HZ
    assert first.label == first.bin == "can"


def test_while_the_bin_moves_it_is_said_to_reach_in(journal: Journal) -> None:
    said: list[bool] = []
    film = DrawnFilm(20, [(5, 15)])
    loop, _, _ = loop_over(
        film,
        ScriptedClassifier(LABELS, ["can"], input_spec=SPEC),
        journal,
        seen=lambda sight: said.append(sight.presence.has_arm),
        is_moving=lambda: len(said) >= 10,
    )
    loop.run_to_end()
    assert said == [False] * 10 + [True] * 10


def test_while_the_bin_moves_it_is_not_idle_though_nothing_lies_there_any_more(journal: Journal) -> None:
    """A reload closes the actuators, and the item of the last decision may still be on its way."""
    is_moving = True
    nothing = ScriptedClassifier(LABELS, ["can"], input_spec=SPEC)
    loop, _, _ = loop_over(DrawnFilm(20, []), nothing, journal, is_moving=lambda: is_moving)
    loop.run_to_end()
    assert not loop.is_idle
    is_moving = False
    assert loop.is_idle


def test_whoever_looks_on_sees_every_frame_and_an_items_last_one_before_its_decision(journal: Journal) -> None:
    story: list[Sight | DecisionRecord] = []
    film = DrawnFilm(100, [(40, 80)])
    classifier = ScriptedClassifier(LABELS, ["can"], input_spec=SPEC)
    loop, _, _ = loop_over(film, classifier, journal, told=story.append, seen=story.append)
    loop.run_to_end()
    sights = [one for one in story if isinstance(one, Sight)]
    assert [sight.frame.sequence for sight in sights] == list(range(100))
    classified = [sight for sight in sights if sight.prediction is not None]
    assert len(classified) == classifier.num_calls
    assert {sight.item_id for sight in classified} == {1}
    assert all(sight.box == sight.presence.box is not None for sight in classified)
    (decision_index,) = (index for index, one in enumerate(story) if isinstance(one, DecisionRecord))
    assert story[decision_index - 1] is classified[-1]


def test_each_frame_of_an_item_is_turned_further_and_whoever_looks_on_is_told(journal: Journal) -> None:
    prepared: list[tuple[InputSpec, Box | None, int]] = []
    sights: list[Sight] = []

    def prepare(image: Image, spec: InputSpec, box: Box | None, num_turns: int) -> Image:
        prepared.append((spec, box, num_turns))
        return to_input(image, spec, box, num_turns)

    classifier = ScriptedClassifier(LABELS, ["can", "paper"] * 5, confidence=0.6, input_spec=SPEC)
    loop, _, _ = loop_over(DrawnFilm(60, [(40, 59)]), classifier, journal, seen=sights.append, prepare=prepare)
    loop.run_to_end()
    classified = [sight for sight in sights if sight.prediction is not None]
    assert prepared == [(SPEC, sight.box, sight.num_turns) for sight in classified]
    assert [num_turns % 4 for _, _, num_turns in prepared][:5] == [0, 1, 2, 3, 0]


def test_an_empty_scene_is_never_classified(journal: Journal) -> None:
    classifier = ScriptedClassifier(LABELS, ["can"], input_spec=SPEC)
    loop, told, _ = loop_over(DrawnFilm(100, []), classifier, journal)
    loop.run_to_end()
    assert told == []
    assert classifier.num_calls == 0


def test_a_decided_item_is_not_classified_any_more(journal: Journal) -> None:
    classifier = ScriptedClassifier(LABELS, ["can"], input_spec=SPEC)
    loop, told, _ = loop_over(DrawnFilm(200, [(40, 199)]), classifier, journal)
    loop.run_to_end()
    assert len(told) == 1
    assert classifier.num_calls == told[0].decision.frames_used == DecisionSettings().min_frames


def test_an_item_that_waits_when_the_source_ends_has_left_early(journal: Journal) -> None:
    classifier = ScriptedClassifier(LABELS, ["can", "paper"] * 50, confidence=0.6, input_spec=SPEC)
    loop, told, actuator = loop_over(DrawnFilm(45, [(40, 44)]), classifier, journal)
    loop.run_to_end()
    assert [record.decision.outcome for record in told] == [Outcome.LEFT_EARLY]
    assert actuator.journal_sizes == []


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        (CameraLostError("unplugged"), [Outcome.LEFT_EARLY, Outcome.ACCEPTED]),
        (StaleFrameError("one late frame"), [Outcome.ACCEPTED]),
    ],
)
def test_an_item_that_waits_when_the_camera_fails_has_left_and_its_frames_count_for_no_other(
    fault: CameraError, outcomes: list[Outcome], journal: Journal
) -> None:
    classifier = ScriptedClassifier(LABELS, ["can", "paper", "can", *["paper"] * 20], confidence=0.9, input_spec=SPEC)
    loop, told, _ = loop_over(DrawnFilm(70, [(40, 69)]), classifier, journal, fault=(44, fault))
    while loop.telemetry.num_frames < 44:
        loop.step()
    num_before = classifier.num_calls
    assert (num_before, told) == (3, [])
    with pytest.raises(type(fault)):
        loop.step()
    assert loop.is_idle is (len(told) == 1), "nobody knows what lies there while the camera is away"
    loop.run_to_end()
    assert [record.decision.outcome for record in told] == outcomes
    assert told[-1].decision.label == "paper"
    num_forgotten = num_before if len(outcomes) == 2 else 0
    assert told[-1].decision.frames_used == classifier.num_calls - num_forgotten


def test_when_a_decision_cannot_be_written_down_nothing_moves(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / "journal.sqlite", ReplayClock())) as on_disk:
        film = DrawnFilm(80, [(40, 70)])
        loop, told, actuator = loop_over(film, ScriptedClassifier(LABELS, ["can"], input_spec=SPEC), on_disk)
        with no_room_for_files(), pytest.raises(StorageError):
            loop.run_to_end()
    assert told == []
    assert actuator.journal_sizes == []


@contextmanager
def no_room_for_files() -> Iterator[None]:
    """The kernel refuses to let any file grow: what a full disk looks like to SQLite."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_two_runs_over_the_same_film_give_the_same_records(journal: Journal) -> None:
    def decisions(into: Journal) -> list[Decision]:
        loop, told, _ = loop_over(
            DrawnFilm(100, [(40, 80)]), ScriptedClassifier(LABELS, ["can"], input_spec=SPEC), into
        )
        loop.run_to_end()
        return [record.decision for record in told]

    with closing(Journal(IN_MEMORY, ReplayClock())) as other:
        assert decisions(journal) == decisions(other) != []
