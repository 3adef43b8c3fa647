"""What a conversion changed: one model held against another on the same pictures.

Everything here is arithmetic on logits; `convert.proof.held_out` gets them from the real models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from convert.proof.held_out import HeldOut
from edge.classifiers.base import softmax
from edge.confidence import wilson_interval
from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import route
from edge.messages import Item, Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """What a conversion may cost before it is refused: shares, 0..1."""

    max_accuracy_loss: float = 0.005
    min_agreement: float = 0.985


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total`, with its 95 % interval.

    >>> Share.of(9, 10)
    Share(count=9, total=10, value=0.9, low=0.5958, high=0.9821)
    """

    count: int
    total: int
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> Share:
        low, high = wilson_interval(count, total)
        return cls(count, total, count / total if total else 0.0, round(low, 4), round(high, 4))

    def __str__(self) -> str:
        return f"{self.value:.2%} ({self.count}/{self.total}, 95 %: {self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True, slots=True)
class Change:
    """A picture that the candidate answers or decides differently: each model's answer, its score, its outcome.

    An outcome is the bin, or `unknown`.
    """

    path: str
    label: str
    reference: str
    reference_score: float
    reference_outcome: str
    candidate: str
    candidate_score: float
    candidate_outcome: str

    @property
    def is_other_answer(self) -> bool:
        """The most likely class is another one, and not only how sure the model is."""
        return self.reference != self.candidate


@dataclass(frozen=True, slots=True)
class ClassParity:
    """One class: recall before and after, and how often both models answer and decide the same."""

    label: str
    reference_recall: Share
    candidate_recall: Share
    agreement: Share
    outcome_agreement: Share


@dataclass(frozen=True, slots=True)
class Parity:
    """A candidate model against its reference.

    `score_distance` is the mean total variation between their scores, 0..1; `outcome_agreement` counts
    pictures on which the default policy, given three such frames, comes to the same decision.
    """

    reference: str
    candidate: str
    reference_accuracy: Share
    candidate_accuracy: Share
    agreement: Share
    outcome_agreement: Share
    score_distance: float
    classes: tuple[ClassParity, ...]
    changes: tuple[Change, ...]

    def broken_limits(self, limits: Limits) -> tuple[str, ...]:
        """What exceeds the limits, as sentences; empty when the conversion may be trusted.

        Of pictures too few for a limit to allow a single one, one is allowed: it tells nothing.
        """
        total = self.agreement.total
        num_lost = self.reference_accuracy.count - self.candidate_accuracy.count
        num_changed = total - self.agreement.count
        broken = []
        if num_lost > _num_allowed(limits.max_accuracy_loss, total):
            broken.append(f"accuracy fell by {num_lost / total:.2%} (limit {limits.max_accuracy_loss:.2%})")
        if num_changed > _num_allowed(1 - limits.min_agreement, total):
            broken.append(f"the models agree on {self.agreement} (limit {limits.min_agreement:.2%})")
        return tuple(broken)

    def metrics(self) -> dict[str, float]:
        """The figures that a manifest carries."""
        return {
            "accuracy": round(self.candidate_accuracy.value, 5),
            "accuracy_as_trained": round(self.reference_accuracy.value, 5),
            "agreement": round(self.agreement.value, 5),
            "outcome_agreement": round(self.outcome_agreement.value, 5),
            "num_pictures": self.agreement.total,
        }

    def to_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


def _num_allowed(share: float, total: int) -> float:
    """How many of `total` pictures a share is, but one at least where it is not none."""
    return max(1.0, round(share * total, 6)) if share > 0 else 0.0  # (1 - 0.9) * 10 is a little less than 1


def compare(held_out: HeldOut, reference: str, candidate: str, labels: Sequence[str], temperature: float) -> Parity:
    """The parity of two of the models that scored `held_out`, both at the same temperature."""
    before = softmax(held_out.logits[reference], temperature)
    after = softmax(held_out.logits[candidate], temperature)
    truth, first, second = held_out.label_indices, before.argmax(axis=1), after.argmax(axis=1)
    outcomes = tuple(zip(_outcomes(before, labels), _outcomes(after, labels), strict=True))
    is_same = first == second
    is_same_outcome = np.array([one == other for one, other in outcomes])
    return Parity(
        reference=reference,
        candidate=candidate,
        reference_accuracy=_share(first == truth),
        candidate_accuracy=_share(second == truth),
        agreement=_share(is_same),
        outcome_agreement=_share(is_same_outcome),
        score_distance=round(float(np.abs(before - after).sum(axis=1).mean() / 2), 5),
        classes=tuple(
            ClassParity(
                label,
                _share(first[truth == index] == index),
                _share(second[truth == index] == index),
                _share(is_same[truth == index]),
                _share(is_same_outcome[truth == index]),
            )
            for index, label in enumerate(labels)
        ),
        changes=tuple(
            Change(
                path=held_out.paths[place],
                label=labels[truth[place]],
                reference=labels[first[place]],
                reference_score=round(float(before[place].max()), 3),
                reference_outcome=outcomes[place][0],
                candidate=labels[second[place]],
                candidate_score=round(float(after[place].max()), 3),
                candidate_outcome=outcomes[place][1],
            )
            for place in np.flatnonzero(~(is_same & is_same_outcome))
        ),
    )


def _outcomes(scores: NDArray[np.float32], labels: Sequence[str]) -> list[str]:
    """What the default policy decides of an item whose every frame looks like this picture: a bin, or `unknown`."""
    settings = DecisionSettings()
    policy = DecisionPolicy(settings, labels, route({}, labels, None))
    outcomes = []
    for picture_scores in scores:
        item = Item(
            item_id=0,
            first_seen_s=0.0,
            settled_s=0.0,
            frames_used=settings.min_frames,
            agreeing=settings.min_frames,
            scores=picture_scores,
        )
        decision = policy.decide(item, settings.deadline_s)
        is_accepted = decision is not None and decision.outcome is Outcome.ACCEPTED
        outcomes.append(str(decision.bin) if is_accepted and decision is not None else Outcome.UNKNOWN.value)
    return outcomes


def _share(is_hit: NDArray[np.bool_]) -> Share:
    return Share.of(int(is_hit.sum()), len(is_hit))
