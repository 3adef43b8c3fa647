"""A second model beside the first: the same picture through real inference, answers compared, then promoted or not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.litert import LiteRTClassifier
from edge.messages import Frame, Phase, Prediction, Presence, Sight
from edge.models.shadow import DISAGREEMENTS, ShadowWatch, begin_shadow, read_shadow
from edge.models.store import ModelStore, Role
from edge.preprocess import load_picture, to_input
from tests.edge.records import a_record

BUNDLE = load_bundle(DEFAULT_BUNDLE)
CLASSIFIER = LiteRTClassifier(BUNDLE, 1)
PICTURE = load_picture(DEFAULT_BUNDLE / BUNDLE.manifest.golden[0].picture)
ANSWER = CLASSIFIER.classify(to_input(PICTURE, CLASSIFIER.input_spec))
LABEL = CLASSIFIER.labels[int(ANSWER.scores.argmax())]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path / "models")
    store.install(DEFAULT_BUNDLE)
    return store


def sight(item_id: int, prediction: Prediction | None = ANSWER) -> Sight:
    return Sight(Frame(0, 0.0, PICTURE), Presence(Phase.SETTLED), item_id, None, prediction)


def run(store: ModelStore, labels: list[str]) -> int:
    """Let the active model answer `labels` one after the other; how often the shadow asked to be promoted."""
    promotions: list[str] = []
    begin_shadow(store, BUNDLE.short_name, 4)
    watch = ShadowWatch(store, CLASSIFIER, list, lambda: promotions.append("now"))
    for number, label in enumerate(labels, start=1):
        for _ in range(2):
            watch.saw(sight(number))
        record = a_record(number)
        watch.tell(replace(record, decision=replace(record.decision, label=label)))
    return len(promotions)


def test_one_that_agrees_is_promoted_after_its_items(store: ModelStore) -> None:
    assert run(store, [LABEL] * 3) == 0
    assert store.path_of(Role.ACTIVE) is None
    assert run(store, [LABEL] * 4) == 1
    active = store.path_of(Role.ACTIVE)
    assert active is not None
    assert active.name == BUNDLE.short_name
    assert read_shadow(store) is None


def test_disagreements_are_kept_and_too_many_keep_it_from_promotion(store: ModelStore) -> None:
    assert run(store, [LABEL, "something else", "something else", "something else"]) == 0
    assert store.path_of(Role.ACTIVE) is None
    lines = [json.loads(line) for line in (store.folder / DISAGREEMENTS).read_text().splitlines()]
    assert [line["shadow"] for line in lines] == [LABEL] * 3
    assert {line["active"] for line in lines} == {"something else"}


def test_what_was_not_classified_is_not_compared(store: ModelStore) -> None:
    begin_shadow(store, BUNDLE.short_name, 1)
    watch = ShadowWatch(store, CLASSIFIER, list, lambda: None)
    watch.saw(sight(1, prediction=None))
    watch.tell(a_record(1))
    shadow = read_shadow(store)
    assert shadow is not None
    assert shadow.num_items == 0
