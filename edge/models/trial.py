"""A newly activated model on trial: it goes again when it does not start, or when it is unsure far more often.

How the bin did before is taken from the journal when the model is activated. The trial lives in a small
file beside the models, so that it outlasts every crash that the model itself may cause.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.journal import Entry
from edge.messages import Outcome
from edge.models.store import ModelStore, Role, replace_file
from edge.records import DecisionRecord

log = logging.getLogger(__name__)

TRIAL = "trial.json"
# Fewer decisions tell too little of how the bin did before.
MIN_BASELINE = 30
# From here on the trial is judged after each item.
MIN_ITEMS = 20
# A start that never came to a first picture; the third in a row ends the trial.
MAX_STARTS = 3
# So much more often unsure, or so much less sure, and beyond what chance explains: once in a thousand.
_MARGIN_UNKNOWN = 0.10
_MARGIN_CONFIDENCE = 0.10
_CHANCE = 1e-3
_NUM_ERRORS = 3.3  # standard errors that chance exceeds as rarely
# What the model itself said. Several at once, or gone too soon, are no fault of it: they come with a busy day.
_ANSWERS = (Outcome.ACCEPTED, Outcome.UNKNOWN)


class Baseline(BaseModel):
    """How the bin did before: the share of items that were unknown, and how sure it was of those it accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_items: int
    unknown: float
    confidence: float

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Baseline | None:
        """From the journal; None where it holds too little."""
        answers = [entry for entry in entries if entry.outcome in _ANSWERS]
        if len(answers) < MIN_BASELINE:
            return None
        accepted = [entry.confidence for entry in answers if entry.outcome == Outcome.ACCEPTED]
        unknown = 1 - len(accepted) / len(answers)
        return cls(num_items=len(answers), unknown=unknown, confidence=sum(accepted) / max(1, len(accepted)))


class Trial(BaseModel):
    """The content of trial.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(default=1, alias="schema")
    model: str
    num_wanted: int
    baseline: Baseline | None
    num_starts: int = 0
    num_items: int = 0
    num_unknown: int = 0
    sum_confidence: float = 0.0
    sum_squares: float = 0.0

    def after(self, record: DecisionRecord) -> Trial:
        """With one more decision, where it is the model's."""
        decision = record.decision
        if decision.outcome not in _ANSWERS:
            return self
        if decision.outcome is Outcome.UNKNOWN:
            return self._with(num_items=self.num_items + 1, num_unknown=self.num_unknown + 1)
        return self._with(
            num_items=self.num_items + 1,
            sum_confidence=self.sum_confidence + decision.confidence,
            sum_squares=self.sum_squares + decision.confidence**2,
        )

    def complaint(self) -> str | None:
        """Why the model must go, as a sentence; None while nothing speaks against it."""
        if self.baseline is None or self.num_items < MIN_ITEMS:
            return None
        allowed = min(1.0, self.baseline.unknown + _MARGIN_UNKNOWN)
        if _at_least(self.num_unknown, self.num_items, allowed) < _CHANCE:
            before = f"{self.baseline.unknown:.0%} with the model before"
            return f"{self.num_unknown} of {self.num_items} items were unknown, {before}"
        num_accepted = self.num_items - self.num_unknown
        if num_accepted < MIN_ITEMS:
            return None
        mean = self.sum_confidence / num_accepted
        variance = max(0.0, self.sum_squares / num_accepted - mean**2)
        if mean + _NUM_ERRORS * math.sqrt(variance / num_accepted) < self.baseline.confidence - _MARGIN_CONFIDENCE:
            return f"{mean:.0%} sure on average, {self.baseline.confidence:.0%} with the model before"
        return None

    def _with(self, **changes: float) -> Trial:
        return self.model_copy(update=changes)


def begin_trial(store: ModelStore, name: str, num_wanted: int, before: Sequence[Entry]) -> None:
    """Activate `name` and watch its next `num_wanted` items against the decisions `before` (0: no trial).

    Raises:
        MissingInputError, StorageError: as `ModelStore.activate`.
    """

    def note() -> None:
        if num_wanted:
            _write(store.folder, Trial(model=name, num_wanted=num_wanted, baseline=Baseline.of(before)))
        else:
            _forget(store.folder)

    store.activate(name, note)


def read_trial(store: ModelStore) -> Trial | None:
    """The trial that is under way for the active model; None also where the card has lost what told of it."""
    try:
        trial = Trial.model_validate_json((store.folder / TRIAL).read_bytes())
    except (OSError, ValidationError):
        return None
    active = store.path_of(Role.ACTIVE)
    return trial if active is not None and active.name == trial.model else None


def survive_start(store: ModelStore) -> None:
    """Count a start of the model on trial; one that never gets to a picture is rolled back.

    Raises:
        TryAgainError, StorageError: as `end_badly`.
    """
    trial = read_trial(store)
    if trial is None:
        return
    if trial.num_starts >= MAX_STARTS:
        end_badly(store, f"{trial.model} did not come to a first picture in {trial.num_starts} starts")
    else:
        _write(store.folder, trial.model_copy(update={"num_starts": trial.num_starts + 1}))


def has_started(store: ModelStore) -> None:
    """The model on trial came to a first picture: whatever keeps the bin from its work now is no fault of it."""
    trial = read_trial(store)
    if trial is not None and trial.num_starts:
        _write(store.folder, trial.model_copy(update={"num_starts": 0}))


def end_badly(store: ModelStore, why: str) -> None:
    """Back to the model before, which the log is told.

    Raises:
        TryAgainError: another command is changing the models; the trial goes on.
        StorageError: it cannot be written; the trial goes on.
    """
    # Only after the rollback: a trial whose model is not active counts for nothing, a bad model without its would stay.
    log.error("%s: rolled back to %s", why, store.roll_back(partial(_forget, store.folder)))


class TrialWatch:
    """Listens while the model on trial works; `on_end` is called, from any thread, when it must go.

    `tell` never blocks, in the loop's thread; `later` does what takes the disk, one after the other. What
    fails of it, such as a rollback while another command changes the models, is tried again after the next item.
    """

    def __init__(
        self, store: ModelStore, later: Callable[[Callable[[], object]], None], on_end: Callable[[], None]
    ) -> None:
        self._store = store
        self._later = later
        self._on_end = on_end
        trial = read_trial(store)
        self._model = None if trial is None else trial.model

    def tell(self, record: DecisionRecord) -> None:
        """One more decision."""
        self._later(partial(self._count, record))

    def _under_way(self) -> Trial | None:
        """The trial as it stands; none when another model has become the active one, or is on trial by now."""
        trial = read_trial(self._store)
        return trial if trial is not None and trial.model == self._model else None

    def _count(self, record: DecisionRecord) -> None:
        before = self._under_way()
        if before is None:
            return
        trial = before.after(record)
        if why := trial.complaint():
            end_badly(self._store, f"{trial.model}: {why}")
            self._on_end()
        elif trial.num_items >= trial.num_wanted:
            _forget(self._store.folder)
            log.warning("%s has passed its trial of %d items", trial.model, trial.num_items)
        else:
            _write(self._store.folder, trial)


def _forget(folder: Path) -> None:
    (folder / TRIAL).unlink(missing_ok=True)


def _write(folder: Path, trial: Trial) -> None:
    replace_file(folder / TRIAL, trial.model_dump_json(by_alias=True))


def _at_least(num_hits: int, num_tries: int, share: float) -> float:
    """The chance of `num_hits` or more in `num_tries` when each hits with the chance `share`: a binomial tail."""
    return sum(
        math.comb(num_tries, hits) * share**hits * (1 - share) ** (num_tries - hits)
        for hits in range(num_hits, num_tries + 1)
    )
