from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from edge.classifiers.light import Light, ground_of
from edge.classifiers.taught import (
    Blend,
    Known,
    SiteHead,
    TaughtClassifier,
    decode_head,
    encode_head,
    features_of,
)
from edge.errors import InvalidDataError
from edge.messages import Image, InputSpec, Prediction

SIZE, LABELS = 8, ("can", "paper", "battery")


class OneAnswer:
    """A network that gives the same scores and embedding for every picture."""

    labels = LABELS[:2]
    input_spec = InputSpec(4, 4)

    def __init__(self, embedding: list[float] | None) -> None:
        self._embedding = None if embedding is None else np.array(embedding, np.float32)

    def classify(self, _image: Image) -> Prediction:
        return Prediction(np.array([0.8, 0.2], np.float32), self._embedding, 0.001)


def direction(index: int) -> np.ndarray:
    return np.eye(SIZE, dtype=np.float32)[index]


def knows(*indices: int, leads_by: float = 0.03) -> Known:
    return Known(np.eye(SIZE, dtype=np.float32)[list(indices)], leads_by)


def battery_head(*, knows_means: bool = True) -> SiteHead:
    """Says battery along the first direction; the network knows the second."""
    weights = np.zeros((SIZE, 3), np.float32)
    weights[0, 2] = 1.0
    return SiteHead(
        features=direction(0)[None],
        known=knows(1) if knows_means else knows(),
        weights=weights,
        bias=np.zeros(3, np.float32),
        means=direction(0)[None],
        blend=Blend(trust=0.5, temperature=0.2, lean=np.zeros(3, np.float32)),
    )


def scores_of(head: SiteHead, embedding: np.ndarray) -> np.ndarray:
    return TaughtClassifier(OneAnswer(embedding.tolist()), head, LABELS).classify(np.zeros((4, 4, 3), np.uint8)).scores


@pytest.mark.parametrize("knows_means", [True, False])
def test_what_looks_like_a_taught_example_gets_its_class(*, knows_means: bool) -> None:
    assert scores_of(battery_head(knows_means=knows_means), 3 * direction(0)).argmax() == 2


@pytest.mark.parametrize("knows_means", [True, False])
@pytest.mark.parametrize("elsewhere", [1, 2])
def test_what_looks_like_no_taught_example_keeps_the_scores_of_the_network(
    elsewhere: int, *, knows_means: bool
) -> None:
    embedding = direction(elsewhere) + 0.05 * direction(0)
    np.testing.assert_allclose(scores_of(battery_head(knows_means=knows_means), embedding), [0.8, 0.2, 0], atol=1e-6)


def test_a_head_that_undoes_light_speaks_only_of_its_own_place() -> None:
    here, elsewhere = np.full((4, 4, 3), 60, np.uint8), np.full((4, 4, 3), 200, np.uint8)
    seen: list[Image] = []

    class Watched(OneAnswer):
        def classify(self, image: Image) -> Prediction:
            seen.append(image)
            return super().classify(image)

    head = replace(battery_head(), light=Light(np.full(3, 2, np.float32), ground_of(here)[None]))
    bin_ = TaughtClassifier(Watched(direction(0).tolist()), head, LABELS)
    assert bin_.classify(here).scores.argmax() == 2
    np.testing.assert_allclose(bin_.classify(elsewhere).scores, [0.8, 0.2, 0], atol=1e-6)
    np.testing.assert_array_equal(seen[0], 2 * here)
    assert seen[1] is elsewhere


def test_a_head_from_before_light_was_undone_still_loads() -> None:
    encoded = io.BytesIO()
    with np.load(io.BytesIO(encode_head(battery_head()))) as arrays:
        np.savez(encoded, **{name: arrays[name] for name in arrays.files if name not in {"gains", "grounds"}})
    light = decode_head(encoded.getvalue(), 3, SIZE).light
    assert light.undo(picture := np.full((4, 4, 3), 60, np.uint8)) is picture


def test_scores_sum_to_one_between_the_two() -> None:
    scores = scores_of(battery_head(), direction(0) + 1.05 * direction(1))
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert 0.01 < scores[2] < 0.99


def test_sharpening_changes_no_answer_but_how_sure_it_is() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    network = OneAnswer(direction(1).tolist())
    plain, softer = (
        TaughtClassifier(network, battery_head(), LABELS, power).classify(image).scores for power in (1, 0.5)
    )
    assert plain.argmax() == softer.argmax()
    assert softer.max() < plain.max()


def test_a_network_without_embeddings_cannot_carry_a_head() -> None:
    with pytest.raises(RuntimeError, match="embeddings"):
        TaughtClassifier(OneAnswer(None), battery_head(), LABELS).classify(np.zeros((4, 4, 3), np.uint8))


def test_the_network_says_nothing_against_a_class_that_it_never_had() -> None:
    surely_can = np.array([[0.999, 0.001]], np.float32)
    says = np.array([[0.1, 0.0, 0.6]], np.float32)
    blend = Blend(0.5, 0.2, np.zeros(3, np.float32))
    assert blend.join(surely_can, says, np.ones(1, np.float32)).argmax() == 2


def test_what_the_network_says_too_often_in_a_place_counts_less_there() -> None:
    scores, says = np.array([[0.6, 0.4]], np.float32), np.zeros((1, 2), np.float32)
    leaning = Blend(1.0, 1.0, np.array([0.5, -0.5], np.float32))
    assert leaning.join(scores, says, np.ones(1, np.float32)).argmax() == 1
    assert leaning.join(scores, says, np.zeros(1, np.float32)).argmax() == 0


def test_features_ignore_the_length_of_an_embedding_and_survive_zeros() -> None:
    embeddings = np.array([[4.0, 1.0], [8.0, 2.0], [0.0, 0.0]], np.float32)
    features = features_of(embeddings)
    np.testing.assert_allclose(features[0], features[1], atol=1e-6)
    assert np.isfinite(features).all()


def test_the_head_has_all_to_say_at_a_lead_and_nothing_far_behind() -> None:
    seen, nearest = np.tile(0.6 * direction(1), (5, 1)), np.array([0.9, 0.63, 0.59, 0.55, 0.0], np.float32)
    np.testing.assert_allclose(knows(1).leaves(nearest, seen), [1, 1, 0.5, 0, 0], atol=1e-5)
    np.testing.assert_allclose(knows(1, leads_by=-0.03).leaves(nearest, seen), [1, 1, 1, 0.75, 0], atol=1e-5)


def test_what_is_known_in_several_ways_is_left_alone_near_each() -> None:
    seen, nearest = 0.6 * np.stack([direction(1), direction(2), direction(3)]), np.full(3, 0.58, np.float32)
    np.testing.assert_allclose(knows(1, 2).leaves(nearest, seen) < 1, [True, True, False])


def test_a_head_from_before_there_were_prototypes_is_led_as_it_was() -> None:
    encoded, head = io.BytesIO(), replace(battery_head(), known=knows(1, leads_by=-0.03))
    assert decode_head(encode_head(head), 3, SIZE).known.leads_by == pytest.approx(-0.03)
    with np.load(io.BytesIO(encode_head(head))) as arrays:
        np.savez(encoded, **{name: arrays[name] for name in arrays.files if name != "leads_by"})
    assert decode_head(encoded.getvalue(), 3, SIZE).known.leads_by == pytest.approx(0.03)


def test_a_head_comes_back_from_its_file() -> None:
    head = battery_head()
    found = decode_head(encode_head(head), 3, SIZE)
    for embedding in (direction(0), direction(3)):
        np.testing.assert_allclose(scores_of(found, embedding), scores_of(head, embedding), atol=1e-3)


@pytest.mark.parametrize(
    ("num_classes", "size"), [(4, SIZE), (3, SIZE + 1)], ids=["another number of classes", "another network"]
)
def test_a_head_of_something_else_is_refused(num_classes: int, size: int) -> None:
    with pytest.raises(InvalidDataError, match="teach again"):
        decode_head(encode_head(battery_head()), num_classes, size)


@pytest.mark.parametrize("encoded", [b"", b"not a zip", encode_head(battery_head())[:200]])
def test_a_damaged_head_is_refused(encoded: bytes) -> None:
    with pytest.raises(InvalidDataError, match="teach again"):
        decode_head(encoded, 3, SIZE)


def test_numbers_that_are_none_are_refused() -> None:
    head = battery_head()
    head.weights[0, 0] = np.nan
    with pytest.raises(InvalidDataError, match="finite weights"):
        decode_head(encode_head(head), 3, SIZE)
