"""Decisions held against what a truth file says happened.

A truth file is JSON with `events`: each has `label`, `enters`, `settled`, `leaves` and `gone` in
seconds since the clip began, and `num_items` when several came at once; `seconds` is how long the clip
lasts. Other keys are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from edge.errors import InvalidDataError, MissingInputError, first_problem
from edge.messages import Decision, Outcome

# A decision may fall this long after an item is out of sight: that is when "left early" is known.
GRACE_S = 0.6


# Times in truth files are rounded, and a clip's last frame begins before its end; seconds.
_ROUNDING_S = 1.0

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TruthEvent(BaseModel, frozen=True, strict=True):
    """One visit of an item, seconds since the clip began."""

    label: Annotated[str, Field(min_length=1)]
    enters: Seconds
    settled: Seconds
    leaves: Seconds
    gone: Seconds
    num_items: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _in_order(self) -> TruthEvent:
        if not self.enters <= self.settled <= self.leaves <= self.gone:
            raise ValueError("expected enters <= settled <= leaves <= gone")
        return self

    def later(self, by_s: float) -> Self:
        """The same visit so much later, to the millisecond."""
        moments = ("enters", "settled", "leaves", "gone")
        return self.model_copy(update={name: round(getattr(self, name) + by_s, 3) for name in moments})


class Truth(BaseModel, frozen=True):
    """What happens in a clip, in the order in which items enter; on a belt several may be in view."""

    events: tuple[TruthEvent, ...]
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _within_the_clip(self) -> Truth:
        last_s = max((event.settled for event in self.events), default=0.0)
        if self.seconds is not None and last_s > self.seconds + _ROUNDING_S:
            raise ValueError(f"an event comes to rest at {last_s} s, but the clip lasts {self.seconds} s")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Truth:
        for before, after in zip(self.events, self.events[1:], strict=False):
            if after.enters < before.enters:
                raise ValueError(f"the event that enters at {after.enters} s stands after one that enters later")
        return self


@dataclass(frozen=True, slots=True)
class Mistake:
    """An item decided as something else, missed (no `answer`), or decided where nothing was (no `truth`).

    `at_s` is when it was decided or, where it was missed, when it came to rest; by the clock of the decisions.
    """

    at_s: float
    truth: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Score:
    """How a run did. Every event is found or missed; of the found ones each is right, wrong or unknown.

    `num_doubled` and `num_invented` count decisions: those beyond the first for an event, and those
    where nothing was. Several items at once are right when the outcome is `multiple`. `settled_to_decided_*`
    counts from the truth's moment of rest, None when nothing was decided. `mistakes`, in order of time, are what is
    missed, invented or wrong; of decisions beyond the first only the number is told.
    """

    num_events: int
    num_found: int
    num_missed: int
    num_invented: int
    num_doubled: int
    num_right: int
    num_wrong: int
    num_unknown: int
    accepted_right: float | None
    settled_to_decided_p50_s: float | None
    settled_to_decided_p95_s: float | None
    mistakes: tuple[Mistake, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields by name, ready for JSON."""
        return asdict(self)


def load_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises:
        MissingInputError: there is no such file.
        InvalidDataError: it is not JSON, has no events, or an event is not as expected.
    """
    if not path.is_file():
        raise MissingInputError(f"no truth file at {path}: expected a JSON file with events")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors put a mark before the first line
    except ValueError as error:
        raise InvalidDataError(f"{path} is not JSON ({error}): expected a truth file with events") from error
    if not isinstance(content, dict) or "events" not in content:
        found = ", ".join(sorted(content)) if isinstance(content, dict) else type(content).__name__
        raise InvalidDataError(
            f"{path} has no events to score against (found: {found}): expected a list 'events', "
            "each with label, enters, settled, leaves, gone"
        )
    try:
        return Truth.model_validate(content)
    except ValidationError as error:
        raise InvalidDataError(f"{path}: {first_problem(error)}") from error


def check_fits(truth: Truth, duration_s: float) -> None:
    """Refuse a truth that cannot be of a source that lasted `duration_s`.

    Raises:
        InvalidDataError: an event comes to rest after the end.
    """
    late = next((event for event in truth.events if event.settled > duration_s + _ROUNDING_S), None)
    if late is not None:
        raise InvalidDataError(
            f"the truth has {late.label} come to rest at {late.settled:g} s, but the source ends at {duration_s:.2f} s:"
            " is it the truth of another clip?"
        )


def strange_labels(truth: Truth, known: Collection[str]) -> tuple[str, ...]:
    """The labels of single items that are none of the known ones: nothing can be right about these items."""
    return tuple(sorted({event.label for event in truth.events if event.num_items == 1}.difference(known)))


def score(decisions: Sequence[Decision], truth: Truth, began_s: float = 0.0) -> Score:
    """Hold `decisions`, in any order, against `truth`, which counts seconds from the start of the source.

    `began_s` is that start on the clock of the decisions, by which mistakes are told, too.
    """
    events = [event.later(began_s) for event in truth.events]
    of_event: list[list[Decision]] = [[] for _ in events]
    invented: list[Decision] = []
    for decision in sorted(decisions, key=lambda decision: decision.decided_s):
        index = _event_of(decision, events, [len(own) for own in of_event])
        if index is None:
            invented.append(decision)
        else:
            of_event[index].append(decision)
    answered = [(event, own[0]) for event, own in zip(events, of_event, strict=True) if own]
    verdicts = [_is_right(event, decision) for event, decision in answered]
    waits_s = [decision.decided_s - event.settled for event, decision in answered]
    mistakes = [Mistake(one.decided_s, None, _answer(one)) for one in invented]
    mistakes += [
        Mistake(event.settled, event.label, None) for event, own in zip(events, of_event, strict=True) if not own
    ]
    mistakes += [
        Mistake(decision.decided_s, event.label, _answer(decision))
        for (event, decision), is_right in zip(answered, verdicts, strict=True)
        if is_right is False
    ]
    num_accepted = verdicts.count(True) + verdicts.count(False)
    return Score(
        num_events=len(events),
        num_found=len(answered),
        num_missed=len(events) - len(answered),
        num_invented=len(invented),
        num_doubled=sum(max(0, len(own) - 1) for own in of_event),
        num_right=verdicts.count(True),
        num_wrong=verdicts.count(False),
        num_unknown=verdicts.count(None),
        accepted_right=verdicts.count(True) / num_accepted if num_accepted else None,
        settled_to_decided_p50_s=float(np.percentile(waits_s, 50)) if waits_s else None,
        settled_to_decided_p95_s=float(np.percentile(waits_s, 95)) if waits_s else None,
        mistakes=tuple(sorted(mistakes, key=lambda mistake: mistake.at_s)),
    )


def _answer(decision: Decision) -> str:
    """What was said of an item: its class, or the outcome where none was accepted."""
    return str(decision.label if decision.outcome is Outcome.ACCEPTED else decision.outcome.value)


def _event_of(decision: Decision, events: Sequence[TruthEvent], num_told: Sequence[int]) -> int | None:
    """The event that a decision tells of, None where nothing was that it could tell of.

    Of two that overlap by the grace it is the one in which it came to rest; of several in view at once the one that
    was told of least, and whose own moment is nearest.
    """
    at_s = decision.first_seen_s if decision.settled_s is None else decision.settled_s
    fits = [n for n, event in enumerate(events) if _may_tell(decision, event)]
    nearer = [n for n in fits if events[n].enters <= at_s <= events[n].gone] or fits
    return min(nearer, key=lambda n: (num_told[n], abs(decision.decided_s - events[n].settled)), default=None)


def _may_tell(decision: Decision, event: TruthEvent) -> bool:
    """Whether it fell while the item was there or, for what did not come to rest after it, soon enough afterwards."""
    if not event.enters <= decision.decided_s <= event.gone + GRACE_S:
        return False
    return decision.outcome is not Outcome.ACCEPTED or decision.settled_s is None or decision.settled_s <= event.gone


def _is_right(event: TruthEvent, decision: Decision) -> bool | None:
    """True, False, or None for an answer that commits to nothing."""
    if event.num_items > 1:
        return decision.outcome is Outcome.MULTIPLE
    match decision.outcome:
        case Outcome.ACCEPTED:
            return decision.label == event.label
        case Outcome.MULTIPLE:
            return False
        case Outcome.UNKNOWN | Outcome.LEFT_EARLY | Outcome.TIMEOUT:
            return None
