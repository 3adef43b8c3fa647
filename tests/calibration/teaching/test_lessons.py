from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from calibration.teaching.examples import (
    Example,
    count,
    decode_examples,
    encode_examples,
    new_among,
    to_jpeg,
    without_pictures_of,
)
from calibration.teaching.fitting import MIN_WEIGHED, TEMPERATURE, TRUST, fit_head, same_thing, things_of
from calibration.teaching.lessons import MAX_EXAMPLES, Lesson, checked_label, learn
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.light import Light
from edge.classifiers.taught import Known, decode_head, encode_head
from edge.deciding.novelty import Novelty, load_novelty
from edge.errors import InvalidDataError, UsageError
from edge.messages import Image

SIZE = 64
OWN = ("cardboard", "glass", "metal", "paper", "plastic", "trash")
NONE_KNOWN = Known(np.zeros((0, SIZE), np.float32), 0.03)


def examples_of(label: str, num: int, seed: int, says: str = "paper", spread: float = 1.2) -> list[Example]:
    """Embeddings of different things around a direction that the label has, which the network takes for `says`."""
    center = np.abs(np.random.default_rng(sum(map(ord, label))).standard_normal(SIZE))
    rng = np.random.default_rng(seed)
    scores = np.full((2, len(OWN)), 0.02, np.float32)
    scores[:, OWN.index(says)] = 0.9
    return [
        Example(
            label,
            np.abs(center + spread * rng.standard_normal((2, SIZE))).astype(np.float32),
            scores,
            f"{label} {seed} {index}".encode(),
        )
        for index in range(num)
    ]


def warm_picture(seed: int, *, has_one_ground: bool) -> Image:
    """Noise below a warm lamp."""
    rng = np.random.default_rng(seed)
    ground = (1.0, 1.0, 1.0) if has_one_ground else rng.uniform(0.3, 1.0, 3)
    return (rng.uniform(100, 250, (32, 32, 3)) * (0.9, 0.6, 0.4) * ground).astype(np.uint8)


def answers(labels: tuple[str, ...], examples: list[Example], asked: list[Example]) -> list[str]:
    head, _ = fit_head(examples, things_of(examples), labels, NONE_KNOWN)
    return [labels[int(head.join(one.scores, one.embeddings).mean(axis=0).argmax())] for one in asked]


@pytest.mark.parametrize("num", [1, 5, 20])
def test_taught_classes_are_told_apart_on_examples_that_were_not_shown(num: int) -> None:
    names = ["glass", "milk", "juice"]
    shown = [one for name in names for one in examples_of(name, num, seed=1)]
    asked = [one for name in names for one in examples_of(name, 5, seed=2, spread=0.4)]
    assert answers((*OWN, "milk", "juice"), shown, asked) == [one.label for one in asked]


def test_views_of_an_unrelated_kind_keep_what_the_network_says() -> None:
    shown = examples_of("glass", 10, seed=1)
    far = [Example("?", np.eye(SIZE, dtype=np.float32)[:2], shown[0].scores, b"")]
    assert answers(OWN, shown, far) == ["paper"]


def test_held_out_examples_are_judged_by_a_head_that_has_not_seen_them() -> None:
    """A single example of a class is right only if it was seen, so that it must come out wrong."""
    shown = [*examples_of("glass", 6, seed=1), *examples_of("milk", 1, seed=1)]
    _, held_out = fit_head(shown, things_of(shown), (*OWN, "milk"), NONE_KNOWN)
    right = [
        ("glass" if one.label == "glass" else "milk") == (*OWN, "milk")[row.argmax()]
        for one, row in zip(shown, held_out, strict=True)
    ]
    assert right == [True] * 6 + [False]


def burst_of(label: str, num: int) -> list[Example]:
    """One thing, again and again."""
    return examples_of(label, num, 1, spread=0.05)


def test_a_burst_of_one_thing_is_held_out_together() -> None:
    """Each of its pictures was vouched for by the others, which show the same thing."""
    shown = [*burst_of("milk", 8), *examples_of("glass", 8, 1)]
    assert len(set(things_of(shown)[:8].tolist())) == 1
    _, held_out = fit_head(shown, things_of(shown), (*OWN, "milk"), NONE_KNOWN)
    assert (held_out.argmax(axis=1) == 6).sum() == 0
    assert (held_out.argmax(axis=1)[8:] == 1).all()


def test_one_thing_is_known_again_turned_and_is_two_where_it_has_two_names() -> None:
    (straight,) = examples_of("milk", 1, 1)
    quarter, half = examples_of("milk", 2, 5)
    views = np.stack([straight.embeddings[0], quarter.embeddings[0], half.embeddings[0]])
    turned = [Example("milk", views[[index, (index + 1) % 3]], straight.scores, b"") for index in range(3)]
    other_name = Example("juice", views[:2], straight.scores, b"")
    assert things_of([turned[0], other_name, turned[2], turned[1]]).tolist() == [0, 1, 0, 0]


def test_things_are_told_apart_also_by_a_network_to_which_all_look_alike() -> None:
    """As to one that was trained from nothing: what all have in common outweighs what differs."""
    common = np.float32(8)
    seen = [np.stack([one.embeddings[0] for one in examples_of(label, 8, 3)]) + common for label in ("can", "cup")]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in seen]
    means = np.stack([rows.mean(axis=0) for rows in unit])
    alike = same_thing(Novelty(means, 0.5, np.concatenate(unit)))
    milk, burst = (
        [replace(one, embeddings=one.embeddings + common) for one in shown]
        for shown in (examples_of("milk", 8, 1), burst_of("milk", 8))
    )
    assert len(set(things_of(milk))) == 1
    assert len(set(things_of(milk, alike))) > 4
    assert len(set(things_of(burst, alike))) == 1
    assert same_thing(load_novelty(load_bundle(DEFAULT_BUNDLE))) == same_thing(None)


def test_how_far_the_network_is_trusted_is_not_told_by_a_burst() -> None:
    shown = [*burst_of("milk", 8), *examples_of("glass", 8, 1)]
    head, _ = fit_head(shown, things_of(shown), (*OWN, "milk"), NONE_KNOWN)
    assert (head.blend.trust, head.blend.temperature) == (TRUST, TEMPERATURE)


@pytest.mark.parametrize(("num_each", "is_weighed"), [(3, False), (4, True)])
def test_how_far_the_network_is_trusted_is_told_by_examples_and_not_by_their_views(
    num_each: int, *, is_weighed: bool
) -> None:
    shown = [one for name in ("glass", "milk") for one in examples_of(name, num_each, seed=1)]
    assert 2 * len(shown) >= MIN_WEIGHED, "of the views there would be enough"
    head, _ = fit_head(shown, things_of(shown), (*OWN, "milk"), NONE_KNOWN)
    assert ((head.blend.trust, head.blend.temperature) != (TRUST, TEMPERATURE)) is is_weighed


def test_many_examples_are_left_out_in_lots() -> None:
    shown = [*examples_of("glass", 80, seed=1), *examples_of("milk", 80, seed=1)]
    _, held_out = fit_head(shown, things_of(shown), (*OWN, "milk"), NONE_KNOWN)
    assert held_out.shape == (160, 7)
    assert (held_out.argmax(axis=1) == [1] * 80 + [6] * 80).all()


class TestLearn:
    bundle = load_bundle(DEFAULT_BUNDLE)

    def widened(self, examples: list[Example]) -> list[Example]:
        size = self.bundle.manifest.outputs.embedding_size or 0
        return [
            Example(one.label, np.tile(one.embeddings, (1, size // SIZE + 1))[:, :size], one.scores, one.picture)
            for one in examples
        ]

    def learn(self, examples: list[Example]) -> Lesson:
        return learn(self.bundle, self.widened(examples))

    def learn_in_light(
        self, labels: tuple[str, ...], num: int, spread: float, *, has_one_ground: bool = True
    ) -> Lesson:
        """Hazy examples below a warm lamp; undoing it shows them as `spread` says."""

        def relight(examples: Sequence[Example], light: Light) -> list[Example]:
            assert light.gains[2] > light.gains[0] > 0.9
            seen = self.widened([one for label in count(examples) for one in examples_of(label, num, 3, spread=spread)])
            return [
                Example(old.label, new.embeddings, new.scores, old.picture)
                for old, new in zip(examples, seen, strict=True)
            ]

        hazy = self.widened([one for label in labels for one in examples_of(label, num, 1, spread=2.0)])
        shown = [
            Example(one.label, one.embeddings, one.scores, to_jpeg(warm_picture(index, has_one_ground=has_one_ground)))
            for index, one in enumerate(hazy)
        ]
        return learn(self.bundle, shown, relight)

    @pytest.mark.parametrize(("spread", "is_undone"), [(0.1, True), (20.0, False)])
    def test_light_is_undone_only_where_held_out_examples_gain(self, spread: float, *, is_undone: bool) -> None:
        lesson = self.learn_in_light(("glass", "metal", "paper"), 6, spread)
        assert lesson.undoes_light is is_undone
        again = decode_head(encode_head(lesson.head), len(lesson.labels), lesson.head.weights.shape[0])
        np.testing.assert_array_equal(again.light.gains, lesson.head.light.gains)
        np.testing.assert_array_equal(again.light.grounds, lesson.head.light.grounds)

    def test_where_the_ground_is_not_one_the_light_stays(self) -> None:
        assert not self.learn_in_light(("glass", "metal", "paper"), 6, 0.1, has_one_ground=False).undoes_light

    def test_one_or_two_kinds_of_things_do_not_tell_what_is_white(self) -> None:
        assert not self.learn_in_light(("glass", "metal"), 10, 0.1).undoes_light

    def test_new_classes_come_after_those_of_the_model_in_the_order_of_teaching(self) -> None:
        lesson = self.learn([*examples_of("zinc", 2, 1), *examples_of("glass", 2, 1), *examples_of("ash", 2, 1)])
        assert lesson.labels == (*OWN, "zinc", "ash")

    def test_a_class_without_company_and_few_examples_are_doubted_in_words(self) -> None:
        doubts = " ".join(self.learn(examples_of("glass", 2, 1)).doubts())
        assert "fewer than 5 examples of glass" in doubts
        assert "nothing but glass" in doubts

    def test_a_class_that_gets_worse_is_named(self) -> None:
        same = examples_of("milk", 6, 1, says="glass")
        confused = [Example("glass", one.embeddings, one.scores, one.picture + b"!") for one in same[:2]]
        lesson = self.learn([*same, *confused])
        assert any(doubt.startswith("glass falls from 2 to") for doubt in lesson.doubts())

    def test_a_class_that_falls_is_not_also_said_to_be_hardly_known(self) -> None:
        lesson = self.learn(examples_of("glass", 6, 1))
        glass = replace(lesson.reports[0], num_things=6)
        falls = replace(lesson, reports=(replace(glass, right_before=3, right_after=1),)).doubts()
        unknown = replace(lesson, reports=(replace(glass, right_before=1, right_after=1),)).doubts()
        assert [doubt.split()[0] for doubt in (falls[0], unknown[0])] == ["glass", "only"]
        assert not any(doubt.startswith("only") for doubt in falls)

    def test_one_thing_under_two_names_is_doubted(self) -> None:
        same = examples_of("milk", 4, 1, spread=0.1)
        twins = [Example("glass", one.embeddings, one.scores, one.picture + b"!") for one in same[:3]]
        other = examples_of("juice", 4, 1)
        doubts = self.learn([*same, *twins, *other]).doubts()
        alike = [doubt for doubt in doubts if "look just like" in doubt]
        assert alike == ["3 examples of glass look just like examples of milk: is each named right?"], "said once"

    def test_one_thing_shown_again_and_again_is_doubted(self) -> None:
        lesson = self.learn([*burst_of("milk", 6), *examples_of("juice", 6, 1)])
        doubts = [doubt for doubt in lesson.doubts() if "milk" in doubt]
        assert doubts == ["the 6 examples of milk show one thing, and say nothing of others: show different ones"]
        assert {one.label: one.right_after for one in lesson.reports} == {"juice": 6, "milk": None}
        assert lesson.judged == {"juice"}

    def test_few_things_shown_again_and_again_are_doubted(self) -> None:
        twice = [*examples_of("milk", 2, 1), *burst_of("milk", 4)]
        doubts = self.learn([*twice, *examples_of("juice", 6, 1)]).doubts()
        assert "the 6 examples of milk show only 3 different things, and say little of others: show different ones" in (
            doubts
        )

    def test_a_class_that_is_not_understood_is_named(self) -> None:
        rng = np.random.default_rng(3)
        unlike = [
            Example("odds", rng.random((2, SIZE)).astype(np.float32) ** 30, one.scores, one.picture)
            for one in examples_of("odds", 6, 1)
        ]
        assert any("of 6 examples of odds are known" in doubt for doubt in self.learn(unlike).doubts())

    def test_of_very_many_the_newest_are_kept(self) -> None:
        shown = examples_of("milk", MAX_EXAMPLES + 7, 1)
        lesson = self.learn([*shown, *examples_of("glass", 3, 1)])
        assert lesson.examples[0].picture == shown[7].picture
        assert len(lesson.examples) == MAX_EXAMPLES + 3

    def test_what_is_kept_fits_the_bundle_and_can_be_read_back(self) -> None:
        lesson = self.learn([*examples_of("milk", 3, 1), *examples_of("glass", 4, 1)])
        step, parts = lesson.step(self.bundle, datetime(2026, 1, 2, tzinfo=UTC))
        assert step.num_examples == {"glass": 4, "milk": 3}
        decode_head(parts[step.head], len(step.labels), self.bundle.manifest.outputs.embedding_size or 0)
        again = decode_examples(parts[step.examples])
        assert [one.label for one in again] == [one.label for one in lesson.examples]


def test_examples_come_back_from_their_file() -> None:
    shown = [*examples_of("milk", 2, 1), *examples_of("größe", 1, 1)]
    again = decode_examples(encode_examples(shown))
    for one, other in zip(shown, again, strict=True):
        assert (one.label, one.picture) == (other.label, other.picture)
        np.testing.assert_allclose(one.embeddings, other.embeddings, rtol=1e-3)  # half precision
        np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("encoded", [b"", b"junk", encode_examples(examples_of("milk", 2, 1))[:-300]])
def test_damaged_examples_are_refused_with_a_way_back(encoded: bytes) -> None:
    with pytest.raises(InvalidDataError, match="calibrate undo"):
        decode_examples(encoded)


def test_the_same_picture_counts_once_and_its_newest_label_holds() -> None:
    old = examples_of("milk", 2, 1)
    relabelled = [Example("juice", old[0].embeddings, old[0].scores, old[0].picture)]
    assert without_pictures_of(old, relabelled) == (old[1],)
    assert new_among([*relabelled, *relabelled], ()) == (relabelled[0],)


@pytest.mark.parametrize(
    "name", ["battery", "Größe 3", "PET (clear)", "oat-milk & co.", "紙", "glass #2", "tench, Tinca tinca"]
)
def test_ordinary_names_are_taken(name: str) -> None:
    assert checked_label(f" {name} ", OWN) == name


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "Glass"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        checked_label(name, OWN)
