"""A new model that runs beside the active one, decides nothing, and is promoted after so many items."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.classifiers.base import Classifier
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
_TINY = np.float32(1e-6)

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


def begin_shadow(store: ModelStore, name: str, num_wanted: int) -> None:
    """Let the installed model `name` run beside the active one for `num_wanted` items."""
    replace_file(store.folder / SHADOW, Shadow(model=name, num_wanted=num_wanted).model_dump_json(by_alias=True))
    (store.folder / DISAGREEMENTS).unlink(missing_ok=True)
    store.shadow(name)


def read_shadow(store: ModelStore) -> Shadow | None:
    """The shadow run that is under way."""
    candidate = store.path_of(Role.CANDIDATE)
    try:
        shadow = Shadow.model_validate_json((store.folder / SHADOW).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return shadow if candidate is not None and candidate.name == shadow.model else None


class ShadowWatch:
    """Classifies what the active model classifies, and compares their answers for each item. One thread.

    It costs a second inference a frame. `recent` gives the latest decisions, against which the model is on
    trial once it is promoted; `on_promotion` is called then.
    """

    def __init__(
        self,
        store: ModelStore,
        classifier: Classifier,
        recent: Callable[[], list[Entry]],
        on_promotion: Callable[[], None],
    ) -> None:
        self._store = store
        self._classifier = classifier
        self._recent = recent
        self._on_promotion = on_promotion
        self._shadow = read_shadow(store)
        self._log_scores: dict[int, NDArray[np.float32]] = {}

    def saw(self, sight: Sight) -> None:
        """Classify the same part of the same frame."""
        if self._shadow is None or sight.prediction is None or sight.item_id is None:
            return
        if sight.presence.phase is Phase.MANY:
            return  # no evidence of one item
        picture = to_input(sight.frame.image, self._classifier.input_spec, sight.box)
        scores = np.log(np.maximum(self._classifier.classify(picture).scores, _TINY))
        earlier = self._log_scores.get(sight.item_id)
        self._log_scores[sight.item_id] = scores if earlier is None else earlier + scores
        while len(self._log_scores) > _MAX_ITEMS:
            del self._log_scores[min(self._log_scores)]

    def tell(self, record: DecisionRecord) -> None:
        """Compare what both made of the item."""
        sums = self._log_scores.pop(record.decision.item_id, None)
        if self._shadow is None or sums is None or record.decision.label is None:
            return
        label = self._classifier.labels[int(sums.argmax())]
        has_agreed = label == record.decision.label
        if not has_agreed:
            self._note(record, label)
        shadow = self._shadow
        shadow = shadow.model_copy(
            update={"num_items": shadow.num_items + 1, "num_agreed": shadow.num_agreed + has_agreed}
        )
        self._shadow = shadow
        replace_file(self._store.folder / SHADOW, shadow.model_dump_json(by_alias=True))
        if shadow.num_items >= shadow.num_wanted:
            self._end(shadow)

    def _note(self, record: DecisionRecord, label: str) -> None:
        line = {"id": record.id, "active": record.decision.label, "shadow": label}
        with (self._store.folder / DISAGREEMENTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _end(self, shadow: Shadow) -> None:
        self._shadow = None
        self._store.shadow(None)
        if shadow.agreement < MIN_AGREEMENT:
            log.warning(
                "%s agreed on %d of %d items only and is not promoted (see %s): `sorter model activate` if you want it",
                shadow.model, shadow.num_agreed, shadow.num_items, self._store.folder / DISAGREEMENTS,
            )  # fmt: skip
            return
        log.warning("%s agreed on %d of %d items: promoted", shadow.model, shadow.num_agreed, shadow.num_items)
        begin_trial(self._store, shadow.model, shadow.num_wanted, self._recent())
        self._on_promotion()
