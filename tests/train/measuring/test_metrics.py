from __future__ import annotations

import json

import numpy as np
import pytest

from train.measuring.metrics import measure, measure_scores, selective_accuracy

LABELS = ("can", "cup", "jar")
# Six pictures: cans answered can, can, cup; cups answered cup, can; no jar exists, and one cup is answered jar.
TRUTH = np.array([0, 0, 0, 1, 1, 1])
ANSWERS = np.array([0, 0, 1, 1, 0, 2])
CONFIDENCE = np.array([0.9, 0.8, 0.6, 0.7, 0.5, 0.4], np.float32)


def scores_of(answers: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    scores = np.repeat((1 - confidence[:, None]) / 2, 3, axis=1).astype(np.float32)
    scores[np.arange(len(answers)), answers] = confidence
    return scores


@pytest.fixture
def evaluation():
    return measure_scores(scores_of(ANSWERS, CONFIDENCE), TRUTH, LABELS, model="toy")


def test_accuracy_and_confusion_count_the_answers(evaluation) -> None:
    assert evaluation.accuracy == 0.5
    assert evaluation.confusion_matrix == ((2, 1, 0), (1, 1, 1), (0, 0, 0))


def test_per_class_figures_match_those_by_hand(evaluation) -> None:
    can, cup, jar = (evaluation.per_class[label] for label in LABELS)
    assert (can.precision, can.recall, can.f1, can.support) == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert (cup.precision, cup.recall, cup.f1, cup.support) == pytest.approx((1 / 2, 1 / 3, 0.4, 3))
    assert (jar.precision, jar.recall, jar.f1, jar.support) == (0, 0, 0, 0)


def test_macro_f1_is_over_the_classes_that_have_pictures(evaluation) -> None:
    assert evaluation.macro_f1 == pytest.approx((2 / 3 + 0.4) / 2)


def test_selective_accuracy_keeps_the_surest() -> None:
    confidence = np.linspace(1, 0.5, 20, dtype=np.float32)
    is_right = np.arange(20) < 18
    assert selective_accuracy(confidence, is_right) == pytest.approx(
        {"1.00": 0.9, "0.95": 18 / 19, "0.90": 1.0, "0.80": 1.0}
    )


def test_logits_and_their_softmax_give_the_same(evaluation) -> None:
    logits = np.log(scores_of(ANSWERS, CONFIDENCE))
    assert measure(logits, TRUTH, LABELS, model="toy").ece == pytest.approx(evaluation.ece, abs=1e-6)


def test_the_json_object_has_the_documented_keys(evaluation) -> None:
    keys = "schema num_images accuracy accuracy_ci95 macro_f1 per_class labels confusion_matrix ece selective model"
    assert list(json.loads(json.dumps(evaluation.to_json()))) == keys.split()
