"""A bin to look at: real journal, pictures, telemetry and server; what it sees is put there by the test."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.classifiers.scripted import ScriptedClassifier
from edge.clock import ReplayClock
from edge.journal import IN_MEMORY, Journal
from edge.messages import Box, Frame, Image, InputSpec, Outcome, Phase, Prediction, Presence, Sight
from edge.publishers.commands import Inbox
from edge.records import DecisionRecord, Recorder, ReplayedIds
from edge.running.controls import Controls
from edge.running.telemetry import Telemetry
from edge.web.recent import RecentPictures
from edge.web.server import PageServer
from edge.web.settings import PageSettings
from edge.web.tally import Tally
from edge.web.window import SightSlot, Teacher, Window, Work
from tests.edge.records import a_decision

LABELS = ("glass", "metal")
INPUT = InputSpec(28, 28)
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - of tests only


def an_image(seed: int = 0) -> Image:
    """A picture that no other seed's resembles, (120, 160, 3): soft blobs, as JPEG keeps them."""
    blobs = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    image: Image = np.kron(blobs, np.ones((20, 20, 1), np.uint8)).astype(np.uint8)
    image.setflags(write=False)
    return image


def a_sight(sequence: int = 0, item_id: int | None = None, seed: int | None = None) -> Sight:
    """An empty scene, or one with an item that was just classified."""
    frame = Frame(sequence, sequence / 12, an_image(sequence if seed is None else seed))
    if item_id is None:
        return Sight(frame, Presence(Phase.EMPTY))
    box = Box(40, 30, 80, 60)
    prediction = Prediction(np.array([0.2, 0.8], np.float32))
    return Sight(frame, Presence(Phase.SETTLED, box, 0.25, 9.0, (box,)), item_id, box, prediction)


class AttentiveTeacher:
    """Says what it was taught, and keeps it."""

    def __init__(self) -> None:
        self.lessons: list[tuple[str, int]] = []
        self.looks: list[Image] = []

    def teach(self, label: str, images: Any) -> str:
        self.lessons.append((label, len(images)))
        self.looks += images
        return f"{label} is known now"


class StandingBin:
    """A bin that stands still: `see` and `decide` are its loop, and its time passes only where a test lets it."""

    def __init__(
        self, teacher: Teacher | None = None, *, is_steered: bool = False, labels: tuple[str, str] = LABELS
    ) -> None:
        self.labels = labels
        self.journal = Journal(IN_MEMORY, ReplayClock())
        self.inbox = Inbox(labels)
        self.controls = Controls(self.inbox, self.journal, lambda task: task(), 0.55, lambda _: None)
        self.now_s = 0.0
        self.sights = SightSlot(lambda: self.now_s)
        self.telemetry = Telemetry()
        self.pictures = RecentPictures(self.sights)
        self.tally = Tally()
        self.problems: list[str] = []
        self._recorder = Recorder(ReplayClock(), ReplayedIds(), "test@0")
        work = Work(
            telemetry=self.telemetry,
            sights=self.sights,
            tally=self.tally,
            journal=self.journal,
            pictures=self.pictures,
            problems=lambda: self.problems,
            teacher=teacher,
            controls=self.controls if is_steered else None,
        )
        self.window = Window(
            name="test bin",
            model="test@0",
            labels=labels,
            input_spec=INPUT,
            open_classifier=lambda: ScriptedClassifier(labels, [labels[1]], input_spec=INPUT),
            work=work,
        )

    def see(self, sight: Sight) -> None:
        self.sights.put(sight)
        self.telemetry.saw(sight.presence.phase)

    def decide(self, outcome: Outcome = Outcome.ACCEPTED, seed: int | None = None) -> DecisionRecord:
        """An item comes and is decided; alike `seed`s give alike pictures."""
        seq = self.journal.next_seq
        self.see(a_sight(1000 + seq, item_id=seq, seed=seed))
        decision = a_decision(seq, label=self.labels[1])
        decision = replace(decision, outcome=outcome, margin=0.8 if outcome is Outcome.ACCEPTED else 0.1)
        if outcome is Outcome.MULTIPLE:
            decision = replace(decision, label=None, bin=None, reason="2 items at once: one at a time")
        record = self._recorder.record(decision, seq, commanded=False)
        self.journal.append(record)
        self.tally.tell(record)
        self.pictures.tell(record)
        return record

    @contextmanager
    def served(self, settings: PageSettings | None = None) -> Iterator[Visitor]:
        """The bin's page on a free port of loopback, and a visitor."""
        server = PageServer(settings or PageSettings(port=0), self.window)
        server.start()
        try:
            yield Visitor(server.address)
        finally:
            server.stop()

    def close(self) -> None:
        self.journal.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Asks for one thing after another, each over a connection of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = int(address.rsplit(":", 1)[1].strip("/"))

    def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Answer:
        """The answer to a GET, or to a POST where there is a body."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            named = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())

    def send(self, path: str, content: object) -> Answer:
        """The answer to a POST of JSON."""
        return self.ask(path, json.dumps(content).encode(), Content_Type="application/json")
