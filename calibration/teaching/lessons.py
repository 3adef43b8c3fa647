"""What a bin makes of the examples it was shown: its head, and how good that is on examples it was not shown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from calibration.teaching.examples import Example, count, encode_examples, from_jpeg
from calibration.teaching.fitting import fit_head, network_scores, same_thing, things_of
from edge.bundle import Bundle
from edge.class_names import class_name
from edge.classifiers.light import PLAIN_LIGHT, Light, light_of
from edge.classifiers.taught import (
    LEADS_MEANS_BY,
    LEADS_PROTOTYPES_BY,
    Known,
    SiteHead,
    encode_head,
    features_of,
)
from edge.deciding.novelty import load_novelty
from edge.errors import UsageError
from edge.site import HeadStep, part_name

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

# More of one class teach little more, and cost time at every frame; the newest stay.
MAX_EXAMPLES = 100
# Fewer say little, and so does a class that falls by one among fewer.
FEW = 5

# The brightest things of fewer kinds need not be white: what is undone then may be their own color.
MIN_LIT_CLASSES, MIN_LIT_EXAMPLES = 3, 12
# Where the ground is not one, the place is not told by it, and what is taught would be forgotten on every other ground.
MIN_GROUND_TOLD = 0.97

_SMALLEST = 1e-4

# The examples as the network sees them with a light undone.
Relight = Callable[[Sequence[Example], Light], Sequence[Example]]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One taught class: how many of its examples the model alone calls right, and a head that has not seen their thing.

    `right_after` is None where all of them show one thing: a head that has not seen it knows nothing of the class.
    """

    label: str
    num_examples: int
    num_things: int
    right_before: int
    right_after: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """All that a bin was taught, as it would be kept. `labels` are the model's classes, then the new ones.

    `held_out` (M, C) are the scores of each of the M examples by a head that has not seen the thing that it shows;
    examples more than `alike` show the same one.
    """

    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    head: SiteHead
    held_out: Floats
    reports: tuple[ClassReport, ...]
    alike: float

    @property
    def judged(self) -> frozenset[str]:
        """The classes of which more than one thing was shown, so that `held_out` says how well it knows them."""
        return frozenset(one.label for one in self.reports if one.right_after is not None)

    @property
    def undoes_light(self) -> bool:
        """Whether this place's light is undone before the model looks."""
        return len(self.head.light.grounds) > 0

    def step(self, bundle: Bundle, made_at: datetime) -> tuple[HeadStep, dict[str, bytes]]:
        """What the site file says of it, and the parts that belong to it."""
        head, examples = encode_head(self.head), encode_examples(self.examples)
        names = part_name("head.npz", head), part_name("taught.npz", examples)
        step = HeadStep(
            made_at=made_at,
            bundle=bundle.bundle_id,
            labels=self.labels,
            head=names[0],
            examples=names[1],
            num_examples=count(self.examples),
        )
        return step, dict(zip(names, (head, examples), strict=True))

    def doubts(self) -> list[str]:
        """What the owner should know before keeping it, in sentences."""
        said = [
            f"{one.label} falls from {one.right_before} to {one.right_after} of {one.num_examples}: "
            "show more of it, and of what it is taken for"
            for one in self.reports
            if one.right_after is not None and one.right_after < one.right_before
        ]
        said += [
            f"only {one.right_after} of {one.num_examples} examples of {one.label} are known by the others: "
            "show more, as they will lie"
            for one in self.reports
            if one.right_after is not None
            and one.num_examples >= FEW
            and one.right_before <= one.right_after < one.num_examples / 2
        ]
        said += [
            f"{number} examples of {one} look just like examples of {other}: is each named right?"
            for (one, other), number in self._twins().items()
        ]
        said += [
            f"the {one.num_examples} examples of {one.label} show {_things_in_words(one.num_things)}, and say"
            f" {'nothing' if one.right_after is None else 'little'} of others: show different ones"
            for one in self.reports
            if one.num_things <= one.num_examples / 2
        ]
        if few := [one.label for one in self.reports if one.num_examples < FEW]:
            said.append(f"fewer than {FEW} examples of {', '.join(few)}: show more, 10 of each class are good")
        if len(self.reports) == 1:
            said.append(
                f"nothing but {self.reports[0].label} was shown: other things in this place may now be taken for it;"
                " show what else comes too"
            )
        return said

    def _twins(self) -> Counter[tuple[str, str]]:
        """How many examples of a class show the same thing as an example of another, by the two classes."""
        features = features_of(np.stack([example.embeddings[0] for example in self.examples]))
        labels = np.array([example.label for example in self.examples])
        is_twin = (features @ features.T > self.alike) & (labels[:, None] < labels)
        found = {(index, str(labels[other])) for index, other in zip(*np.nonzero(is_twin), strict=True)}
        return Counter((str(labels[index]), other) for index, other in sorted(found))


@dataclass(frozen=True, slots=True, eq=False)
class _ToldApart:
    """Which thing each example shows, (M,): those are one that are more than `alike`."""

    things: Indices
    alike: float


def learn(bundle: Bundle, examples: Sequence[Example], relight: Relight | None = None) -> Lesson:
    """Fit a head for `bundle` to at least one example, and judge it; of each class the last MAX_EXAMPLES count.

    With `relight` the light of a place with one ground is undone where that makes the held-out examples likelier.
    Less than a second for 100 examples without it.
    """
    kept = _newest(examples)
    alike = same_thing(load_novelty(bundle))
    told_apart = _ToldApart(things_of(kept, alike), alike)
    plain, surprise = _lesson(bundle, kept, told_apart, kept, PLAIN_LIGHT)
    counts = count(kept)
    if relight is None or len(counts) < MIN_LIT_CLASSES or len(kept) < MIN_LIT_EXAMPLES:
        return plain
    light = light_of([from_jpeg(example.picture) for example in kept])
    if light.share_told() < MIN_GROUND_TOLD:
        return plain
    lit, lit_surprise = _lesson(bundle, kept, told_apart, relight(kept, light), light)
    return lit if lit_surprise < surprise else plain


def _lesson(
    bundle: Bundle, kept: tuple[Example, ...], told_apart: _ToldApart, seen: Sequence[Example], light: Light
) -> tuple[Lesson, float]:
    """What `kept` teach as `seen` in that light, and how unlikely it finds their labels, held out: a mean in nats."""
    own, things = bundle.manifest.labels, told_apart.things
    labels = (*own, *dict.fromkeys(example.label for example in kept if example.label not in own))
    head, held_out = fit_head(seen, things, labels, _known_to(bundle, kept[0].embeddings.shape[1]), light)
    truth = np.array([labels.index(example.label) for example in kept])
    before = network_scores(kept, len(labels)).argmax(axis=1) == truth
    after = held_out.argmax(axis=1) == truth
    reports = tuple(_report(label, things, truth == labels.index(label), before, after) for label in count(kept))
    losses = -np.log(np.maximum(held_out[np.arange(len(truth)), truth], _SMALLEST))
    told = [losses[truth == labels.index(one.label)].mean() for one in reports if one.right_after is not None]
    lesson = Lesson(labels, kept, head, held_out, reports, told_apart.alike)
    return lesson, float(np.mean(told)) if told else math.inf


def _known_to(bundle: Bundle, embedding_size: int) -> Known:
    """What the bundle's network knows by itself, as far as the bundle says."""
    novelty = load_novelty(bundle)
    if novelty is None:
        return Known(np.zeros((0, embedding_size), np.float32), LEADS_MEANS_BY)
    if len(novelty.prototypes):
        return Known(features_of(novelty.prototypes), LEADS_PROTOTYPES_BY)
    return Known(features_of(novelty.means), LEADS_MEANS_BY)


def checked_label(label: str, labels: Sequence[str]) -> str:
    """The class of that name, where `labels` are those known already.

    Raises:
        UsageError: it cannot be one, or is new and differs from a known one by case alone.
    """
    name = class_name(label)
    alike = [known for known in labels if known.casefold() == name.casefold()]
    if alike and name not in alike:
        raise UsageError(f"there is a class {alike[0]!r} already, found {name!r}: write it the same way")
    return name


def _newest(examples: Sequence[Example]) -> tuple[Example, ...]:
    left = {label: number - MAX_EXAMPLES for label, number in count(examples).items()}
    kept = []
    for example in examples:
        left[example.label] -= 1
        if left[example.label] < 0:
            kept.append(example)
    return tuple(kept)


def _report(
    label: str, things: Indices, own: NDArray[np.bool_], before: NDArray[np.bool_], after: NDArray[np.bool_]
) -> ClassReport:
    num_things = len(np.unique(things[own]))
    right_after = int(after[own].sum()) if num_things > 1 else None
    return ClassReport(label, int(own.sum()), num_things, int(before[own].sum()), right_after)


def _things_in_words(number: int) -> str:
    return "one thing" if number == 1 else f"only {number} different things"
