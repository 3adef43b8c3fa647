"""A second model beside the first: the same picture through real inference, answers compared, then promoted or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.base import Classifier
from edge.classifiers.litert import LiteRTClassifier
from edge.classifiers.scripted import ScriptedClassifier
from edge.clock import ReplayClock
from edge.commands.model import model
from edge.errors import TryAgainError, UsageError
from edge.journal import IN_MEMORY, Journal
from edge.messages import Box, Frame, Image, InputSpec, Phase, Prediction, Presence, Sight
from edge.models.shadow import DISAGREEMENTS, ShadowWatch, begin_shadow, read_disagreements, read_shadow
from edge.models.store import ModelStore, Role
from edge.models.trial import MIN_BASELINE, read_trial
from edge.preprocess import load_picture, to_input
from edge.records import DecisionRecord
from edge.running.problems import Problems
from edge.running.scribe import Scribe
from tests.edge.models.locked import finish, locked
from tests.edge.records import a_record, fill

BUNDLE = load_bundle(DEFAULT_BUNDLE)
CLASSIFIER = LiteRTClassifier(BUNDLE, 1)
PICTURE = load_picture(DEFAULT_BUNDLE / BUNDLE.manifest.golden[0].picture)
ANSWER = CLASSIFIER.classify(to_input(PICTURE, CLASSIFIER.input_spec))
LABEL = CLASSIFIER.labels[int(ANSWER.scores.argmax())]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Two models, another than the shipped one active. The store does not look into them."""
    store = ModelStore(tmp_path / "models")
    store.install(DEFAULT_BUNDLE)
    shutil.copytree(DEFAULT_BUNDLE, store.folder / "another@1")
    store.activate("another@1")
    return store


SPEC = InputSpec(32, 32)


class Attentive(ScriptedClassifier):
    """Keeps the pictures that it is shown."""

    def __init__(self) -> None:
        super().__init__(("can", "paper"), ["can"], input_spec=SPEC)
        self.pictures: list[Image] = []

    def classify(self, image: Image) -> Prediction:
        self.pictures.append(image)
        return super().classify(image)


def at_once(task: Callable[[], object]) -> None:
    task()


def sight(
    item_id: int, prediction: Prediction | None = ANSWER, box: Box | None = None, num_turns: int = 0,
    phase: Phase = Phase.SETTLED,
) -> Sight:  # fmt: skip
    return Sight(Frame(0, 0.0, PICTURE), Presence(phase), item_id, box, prediction, num_turns)


def decided(item_id: int, label: str) -> DecisionRecord:
    record = a_record(item_id)
    return replace(record, decision=replace(record.decision, label=label))


def watching(store: ModelStore, classifier: Classifier, num_wanted: int = 100) -> ShadowWatch:
    begin_shadow(store, BUNDLE.short_name, num_wanted)
    return ShadowWatch(store, classifier, at_once, list, lambda: None)


def compared(store: ModelStore) -> tuple[int, int]:
    """How many items were compared, and on how many of them both agreed."""
    shadow = read_shadow(store)
    assert shadow is not None
    return shadow.num_items, shadow.num_agreed


def run(store: ModelStore, labels: list[str]) -> int:
    """Let the active model answer `labels` one after the other; how often the shadow asked to be promoted."""
    promotions: list[str] = []
    begin_shadow(store, BUNDLE.short_name, 4)
    watch = ShadowWatch(store, CLASSIFIER, at_once, list, lambda: promotions.append("now"))
    for number, label in enumerate(labels, start=1):
        for _ in range(2):
            watch.saw(sight(number))
        watch.tell(decided(number, label))
    return len(promotions)


def test_one_that_agrees_is_promoted_after_its_items(store: ModelStore) -> None:
    assert run(store, [LABEL] * 3) == 0
    assert store.path_of(Role.ACTIVE) == store.folder / "another@1"
    assert run(store, [LABEL] * 4) == 1
    active = store.path_of(Role.ACTIVE)
    assert active is not None
    assert active.name == BUNDLE.short_name
    assert read_shadow(store) is None


def test_disagreements_are_kept_and_too_many_keep_it_from_promotion(store: ModelStore) -> None:
    assert run(store, [LABEL, "something else", "something else", "something else"]) == 0
    assert store.path_of(Role.ACTIVE) == store.folder / "another@1"
    found = read_disagreements(store)
    assert [(one.seq, one.active, one.shadow) for one in found] == [(seq, "something else", LABEL) for seq in (2, 3, 4)]
    assert [one.id for one in found] == [a_record(seq).id for seq in (2, 3, 4)]


def test_a_line_that_a_power_cut_has_torn_is_passed_over(store: ModelStore) -> None:
    assert read_disagreements(store) == []
    run(store, ["something else"] * 3)
    path = store.folder / DISAGREEMENTS
    path.write_text(path.read_text(encoding="utf-8")[:-9], encoding="utf-8")
    assert [one.seq for one in read_disagreements(store)] == [1, 2]


def test_status_shows_where_the_shadow_says_otherwise(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    begin_shadow(store, BUNDLE.short_name, 12)
    watch = ShadowWatch(store, CLASSIFIER, at_once, list, lambda: None)
    for number in range(1, 13):
        if number == 12:
            ongoing = CliRunner().invoke(model, ["status"]).output
        watch.saw(sight(number))
        watch.tell(decided(number, "sock"))
    over = CliRunner().invoke(model, ["status"]).output
    assert "the shadow said otherwise of 11 items" in ongoing
    assert "the last one in the shadow said otherwise of 12 items" in over
    assert over.splitlines()[-10:] == [f"  {seq}: sorted as sock, it says {LABEL}" for seq in range(3, 13)]
    told = json.loads(CliRunner().invoke(model, ["status", "--json"]).output)
    assert [one["seq"] for one in told["disagreements"]] == list(range(1, 13))


def test_what_was_not_classified_is_not_compared(store: ModelStore) -> None:
    watch = watching(store, CLASSIFIER)
    watch.saw(sight(1, prediction=None))
    watch.tell(a_record(1))
    assert compared(store) == (0, 0)


def test_both_see_the_same_part_of_the_frame_turned_alike(store: ModelStore) -> None:
    classifier = Attentive()
    watch = watching(store, classifier)
    box = Box(10, 20, 80, 60)
    for num_turns in range(3):
        watch.saw(sight(1, box=box, num_turns=num_turns))
    watch.saw(sight(1))
    wanted = [*(to_input(PICTURE, SPEC, box, num_turns) for num_turns in range(3)), to_input(PICTURE, SPEC)]
    for shown, picture in zip(classifier.pictures, wanted, strict=True):
        np.testing.assert_array_equal(shown, picture)


@pytest.mark.parametrize("script", [["paper", "can", "can"], ["can", "can", "paper"]])
def test_all_frames_of_an_item_count_together(store: ModelStore, script: list[str]) -> None:
    watch = watching(store, ScriptedClassifier(("can", "paper"), script, input_spec=SPEC))
    for _ in script:
        watch.saw(sight(1))
    watch.tell(decided(1, "can"))
    assert compared(store) == (1, 1)


def test_one_frame_that_is_sure_of_a_mistake_does_not_outvote_all_others_as_in_the_active_model(
    store: ModelStore,
) -> None:
    frames = iter(np.array([[0.0, 1.0], *[[0.95, 0.05]] * 4], np.float32))

    class Mistaken(Attentive):
        def classify(self, image: Image) -> Prediction:
            return replace(super().classify(image), scores=next(frames))

    watch = watching(store, Mistaken())
    for _ in range(5):
        watch.saw(sight(1))
    watch.tell(decided(1, "can"))
    assert compared(store) == (1, 1)


def test_several_at_once_are_no_evidence(store: ModelStore) -> None:
    classifier = Attentive()
    watch = watching(store, classifier)
    watch.saw(sight(1, phase=Phase.MANY))
    watch.tell(decided(1, "can"))
    assert classifier.pictures == []
    assert compared(store) == (0, 0)


def test_what_is_never_decided_is_forgotten_the_oldest_first(store: ModelStore) -> None:
    watch = watching(store, Attentive())
    for item_id in range(1, 101):
        watch.saw(sight(item_id))
    for item_id in range(1, 85):
        watch.tell(decided(item_id, "can"))
    assert compared(store) == (0, 0)
    for item_id in range(85, 101):
        watch.tell(decided(item_id, "can"))
    assert compared(store) == (16, 16)


def test_once_promoted_it_is_held_against_how_the_bin_did_before(store: ModelStore) -> None:
    with closing(Journal(IN_MEMORY, ReplayClock())) as journal:
        fill(journal, MIN_BASELINE)
        begin_shadow(store, BUNDLE.short_name, 1)
        watch = ShadowWatch(store, Attentive(), at_once, journal.decisions, lambda: None)
        watch.saw(sight(1))
        watch.tell(decided(1, "can"))
    trial = read_trial(store)
    assert trial is not None
    assert trial.baseline is not None
    assert trial.baseline.num_items == MIN_BASELINE


def test_a_promotion_that_has_to_wait_is_made_up_for_after_the_next_item(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    promotions: list[str] = []
    journal = Journal(IN_MEMORY, ReplayClock())
    with closing(journal), closing(Scribe(journal, Problems())) as scribe:
        begin_shadow(store, BUNDLE.short_name, 1)
        watch = ShadowWatch(store, Attentive(), scribe.try_later, list, lambda: promotions.append("now"))
        with locked(store):
            watch.saw(sight(1))
            watch.tell(decided(1, "can"))
            finish(scribe)
            scribe.arrived()
        assert compared(store) == (1, 1), "it runs in the shadow as before"
        watch.saw(sight(2))
        watch.tell(decided(2, "can"))
    assert "another command is changing the models" in caplog.text
    assert promotions == ["now"]
    assert store.path_of(Role.ACTIVE) == store.folder / BUNDLE.short_name


def test_a_model_that_is_active_is_in_nobodys_shadow(store: ModelStore) -> None:
    """As a power cut leaves it between its activation and the end of the shadow run."""
    begin_shadow(store, BUNDLE.short_name, 1)
    store.activate(BUNDLE.short_name)
    assert read_shadow(store) is None


def test_the_active_model_is_not_asked_into_its_own_shadow(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    store.activate(BUNDLE.short_name)
    assert_refused()
    (store.folder / Role.ACTIVE).unlink()
    (store.folder / Role.PREVIOUS).unlink()
    assert_refused()  # the shipped one runs where none is active
    assert store.path_of(Role.CANDIDATE) is None


def assert_refused() -> None:
    refused = CliRunner().invoke(model, ["install", str(DEFAULT_BUNDLE), "--shadow", "5"])
    assert isinstance(refused.exception, UsageError)
    assert f"{BUNDLE.short_name} is the active model already" in str(refused.exception)


def test_a_bin_that_runs_on_does_not_undo_another_run_that_was_begun_meanwhile(store: ModelStore) -> None:
    watch = watching(store, Attentive())
    shutil.copytree(DEFAULT_BUNDLE, store.folder / "newer@2")
    begin_shadow(store, "newer@2", 50)
    watch.saw(sight(1))
    watch.tell(decided(1, "can"))

    assert compared(store) == (0, 0)
    shadow = read_shadow(store)
    assert shadow is not None
    assert (shadow.model, shadow.num_wanted) == ("newer@2", 50)


def test_while_another_command_changes_the_models_the_shadow_run_stays_as_it_was(store: ModelStore) -> None:
    begin_shadow(store, BUNDLE.short_name, 7)
    with locked(store), pytest.raises(TryAgainError):
        begin_shadow(store, BUNDLE.short_name, 9)
    shadow = read_shadow(store)
    assert shadow is not None
    assert shadow.num_wanted == 7
