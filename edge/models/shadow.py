"""A new model that runs beside the active one, decides nothing, and is promoted after so many items."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.classifiers.base import Classifier
from edge.errors import UsageError
from edge.items.evidence import MeanLogProb
from edge.journal import Entry
from edge.messages import Phase, Sight
from edge.models.store import ModelStore, Role, replace_file
from edge.models.trial import begin_trial
from edge.preprocess import to_input
from edge.records import DecisionRecord

log = logging.getLogger(__name__)

SHADOW = "shadow.json"
DISAGREEMENTS = "disagreements.jsonl"
# A model that agrees on less than this of the items is another kind of model: a person decides, not we.
MIN_AGREEMENT = 0.5

# What was looked at and never decided, such as a hand that held still, must not pile up.
_MAX_ITEMS = 16


class Shadow(BaseModel):
    """The content of shadow.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = Field(default=1, alias="schema")
    model: str
    num_wanted: int
    num_items: int = 0
    num_agreed: int = 0

    @property
    def agreement(self) -> float:
        """The share of the items on which both said the same."""
        return self.num_agreed / max(1, self.num_items)

    def after(self, *, has_agreed: bool) -> Shadow:
        """With one more item."""
        return self.model_copy(update={"num_items": self.num_items + 1, "num_agreed": self.num_agreed + has_agreed})


class Disagreement(BaseModel):
    """One line of disagreements.jsonl: an item, and what the `active` model and the one in the `shadow` said it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    id: str
    active: str
    shadow: str


def begin_shadow(store: ModelStore, name: str, num_wanted: int) -> None:
    """Let the installed model `name` run beside the active one for `num_wanted` items.

    Raises:
        UsageError: it is the active one.
        TryAgainError: another command is changing the models.
    """
    active = store.path_of(Role.ACTIVE)
    if name == (load_bundle(DEFAULT_BUNDLE).short_name if active is None else active.name):
        raise UsageError(f"{name} is the active model already: expected another one to run beside it")

    def note() -> None:
        _write(store, Shadow(model=name, num_wanted=num_wanted))
        (store.folder / DISAGREEMENTS).unlink(missing_ok=True)

    store.shadow(name, note)


def read_shadow(store: ModelStore) -> Shadow | None:
    """The shadow run that is under way; a model that is active is in nobody's shadow.

    None also where the card has lost what told of it.
    """
    candidate = store.path_of(Role.CANDIDATE)
    try:
        shadow = Shadow.model_validate_json((store.folder / SHADOW).read_bytes())
    except (OSError, ValidationError):
        return None
    is_running = candidate is not None and candidate.name == shadow.model and candidate != store.path_of(Role.ACTIVE)
    return shadow if is_running else None


def read_disagreements(store: ModelStore) -> list[Disagreement]:
    """Where the model in the shadow said otherwise, oldest first; that of the last run when none is under way."""
    try:
        lines = (store.folder / DISAGREEMENTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with suppress(ValidationError):  # torn by a power cut
            found.append(Disagreement.model_validate_json(line))
    return found


def promote(store: ModelStore, name: str, num_wanted: int, before: Sequence[Entry]) -> None:
    """Let the model in the shadow sort from the next start of the loop on, as `begin_trial` does.

    Raises:
        TryAgainError: another command is changing the models.
        MissingInputError, StorageError: as `begin_trial`.
    """
    begin_trial(store, name, num_wanted, before)
    # Only now: what could not be activated stays in the shadow, what was activated is in it no more in any case.
    store.shadow(None)


def _write(store: ModelStore, shadow: Shadow) -> None:
    replace_file(store.folder / SHADOW, shadow.model_dump_json(by_alias=True))


class ShadowWatch:
    """Classifies what the active model classifies, and compares their answers for each item.

    Both see the same part of the same frames, turned alike, and `classifier` is the new model as it would sort here:
    with what the site holds for it. Taught classes and a temperature that were made for the active model alone are
    not lent to it, since a promotion would not lend them either.

    It costs a second inference a frame. `saw` and `tell` are for the loop's thread; `later` does what takes the
    disk, one after the other. What fails of it, such as a promotion while another command changes the models, is
    tried again after the next item. `recent` gives the latest decisions, against which the model is on trial once it
    is promoted; `on_promotion` is called then. Both from any thread.
    """

    def __init__(
        self,
        store: ModelStore,
        classifier: Classifier,
        later: Callable[[Callable[[], object]], None],
        recent: Callable[[], list[Entry]],
        on_promotion: Callable[[], None],
    ) -> None:
        self._store = store
        self._classifier = classifier
        self._later = later
        self._recent = recent
        self._on_promotion = on_promotion
        shadow = read_shadow(store)
        self._model = None if shadow is None else shadow.model
        self._evidence: dict[int, MeanLogProb] = {}

    def saw(self, sight: Sight) -> None:
        """Classify the same part of the same frame."""
        if self._model is None or sight.prediction is None or sight.item_id is None:
            return
        if sight.presence.phase is Phase.MANY:
            return  # no evidence of one item
        picture = to_input(sight.frame.image, self._classifier.input_spec, sight.box, sight.num_turns)
        scores = self._classifier.classify(picture).scores
        earlier = self._evidence.get(sight.item_id)
        self._evidence[sight.item_id] = MeanLogProb.begin(scores) if earlier is None else earlier.add(scores)
        while len(self._evidence) > _MAX_ITEMS:
            del self._evidence[min(self._evidence)]

    def tell(self, record: DecisionRecord) -> None:
        """Compare what both made of the item."""
        evidence = self._evidence.pop(record.decision.item_id, None)
        if evidence is not None and record.decision.label is not None:
            self._later(partial(self._count, record, self._classifier.labels[int(evidence.scores.argmax())]))

    def _count(self, record: DecisionRecord, label: str) -> None:
        before = read_shadow(self._store)
        if before is None or before.model != self._model:  # another one is in the shadow by now, or none
            self._model = None
            return
        has_agreed = label == record.decision.label
        shadow = before.after(has_agreed=has_agreed)
        if not has_agreed:
            self._note(record, label)
        _write(self._store, shadow)
        if shadow.num_items >= shadow.num_wanted:
            self._end(shadow)

    def _note(self, record: DecisionRecord, label: str) -> None:
        noted = Disagreement(seq=record.seq, id=record.id, active=record.decision.label or "", shadow=label)
        with (self._store.folder / DISAGREEMENTS).open("a", encoding="utf-8") as file:
            file.write(noted.model_dump_json() + "\n")

    def _end(self, shadow: Shadow) -> None:
        if shadow.agreement < MIN_AGREEMENT:
            self._store.shadow(None)
            self._model = None
            log.warning(
                "%s agreed on %d of %d items only and is not promoted (`sorter model status` shows where not): "
                "`sorter model activate %s` if you want it",
                shadow.model, shadow.num_agreed, shadow.num_items, shadow.model,
            )  # fmt: skip
            return
        promote(self._store, shadow.model, shadow.num_wanted, self._recent())
        self._model = None
        log.warning("%s agreed on %d of %d items: promoted", shadow.model, shadow.num_agreed, shadow.num_items)
        self._on_promotion()
