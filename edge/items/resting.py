"""Items that come to rest.

An item begins when something has come to rest, and ends when the scene is empty or something else lies there. A hand
that passes never comes to rest, so it never becomes an item. What lies still is classified at once, so that the answer
is there when it counts as resting; if it moves on, that is forgotten.
"""

from __future__ import annotations

from dataclasses import replace

from edge.items.decided import SAME_LIKENESS, Decided, Embedding
from edge.items.smoothing import Gathering, SmoothingSettings
from edge.items.tracking import Target
from edge.messages import Item, Phase, Prediction, Presence

# So many that were decided before the last one are looked for again: where the scene is never empty they pile up.
_MOST_COVERED = 8


class RestTracker:
    """The one item that lies still.

    What was decided is not given again while it lies there. Once it has moved, and no arm reaches in any more, it is
    held against how it looked: what looks otherwise frame after frame has taken its place, or lies on it or beside it,
    and is the next item. When that has gone, what was decided before it may lie there still, where it lay: it is not
    given again. Where the classifier gives no embeddings, the next one begins when the scene was empty or,
    after several at once, when something has moved: somebody took the others away. `same_likeness` is the cosine from
    which two of its embeddings may be of one thing.
    """

    def __init__(self, settings: SmoothingSettings, same_likeness: float = SAME_LIKENESS) -> None:
        self._settings = settings
        self._same_likeness = same_likeness
        self._gathering = Gathering(settings)
        self._item: Item | None = None
        self._decided: Decided | None = None
        self._covered: tuple[Decided, ...] = ()
        self._num_items = 0
        self._look_of_many: Embedding | None = None
        self._presence = Presence(Phase.EMPTY)
        self._seen_since_s: float | None = None
        self._many_since_s: float | None = None
        self._best_sharpness = 0.0

    def follow(self, presence: Presence, now_s: float) -> Target | None:
        self._presence = presence
        if presence.phase is Phase.EMPTY:
            self.end()
            self._decided = None
            self._covered = ()
            return None
        self._seen_since_s = now_s if self._seen_since_s is None else self._seen_since_s
        is_many = self._is_many(presence, now_s)
        is_still = presence.phase is not Phase.MOVING or presence.still_s > 0
        if not is_still:
            self._forget_candidate()
            self._note_motion(now_s)
        if self._decided is not None and not (is_still and self._decided.may_be_gone(presence)):
            return None
        if self._item is None and is_still:
            self._begin(self._seen_since_s)
        if self._item is None:
            return None
        if is_many:
            self._item = replace(self._item, is_many=True)
        if presence.phase is Phase.SETTLED and self._item.settled_s is None:
            self._item = replace(self._item, settled_s=now_s)
        return self._target(self._item, presence)

    def add(self, target: Target, prediction: Prediction) -> None:
        if self._item is None or self._item.item_id != target.item_id:
            raise RuntimeError(f"a prediction for item {target.item_id}, which does not wait: follow() must come first")
        if self._decided is not None and self._is_known(self._decided, prediction.embedding):
            self._item = None
            return
        if self._presence.phase is Phase.MANY:
            self._look_of_many = prediction.embedding
        else:
            self._item = self._gathering.add(self._item, prediction)
        if self._decided is not None and self._decided.has_gone and self._counts(self._item):
            self._covered, self._decided = (*self._covered, self._decided)[-_MOST_COVERED:], None

    def waiting(self) -> tuple[Item, ...]:
        return () if self._item is None or self._is_candidate(self._item) else (self._item,)

    def close(self, item_id: int) -> None:
        item = self._item
        if item is None or item.item_id != item_id:
            return
        look = self._look_of_many if item.is_many else item.embedding
        decided = Decided(look, self._presence.box, self._same_likeness, is_many=item.is_many)
        self._decided = None if item.has_left else decided
        self._item = None

    def end(self) -> None:
        self._forget_candidate()
        self._many_since_s = self._seen_since_s = None
        if self._item is not None:
            self._item = replace(self._item, has_left=True)

    def _note_motion(self, now_s: float) -> None:
        """What was decided has moved: another may have come at that moment."""
        if self._decided is None:
            return
        if not self._decided.has_moved:
            self._seen_since_s = now_s
        self._decided.move()
        if self._decided.has_gone:
            self._decided = None

    def _is_known(self, decided: Decided, embedding: Embedding | None) -> bool:
        """Whether what lies there may be what was decided last, or is an earlier one that lies alone again."""
        if decided.recognizes(embedding, self._presence.phase):
            return True
        for index, earlier in reversed([*enumerate(self._covered)]):
            if earlier.lay_at(self._presence.box) and earlier.recognizes(embedding, self._presence.phase):
                self._covered, self._decided = self._covered[:index], earlier
                return True
        return False

    def _is_candidate(self, item: Item) -> bool:
        """Whether it does not lie still for long enough yet to be an item, or may be what was decided already."""
        return self._decided is not None or not self._counts(item)

    @staticmethod
    def _counts(item: Item) -> bool:
        return item.settled_s is not None or item.is_many

    def _forget_candidate(self) -> None:
        if self._item is not None and self._is_candidate(self._item):
            self._item = None

    def _begin(self, first_seen_s: float) -> None:
        self._num_items += 1
        self._look_of_many = None
        self._best_sharpness = 0.0
        self._item = Item(self._num_items, first_seen_s)

    def _target(self, item: Item, presence: Presence) -> Target | None:
        """What lies still, when it is sharp enough; of several at once it makes no evidence, but a look."""
        if presence.phase is Phase.MOVING and not self._is_candidate(item):
            return None
        if presence.phase is Phase.MANY:
            return Target(item.item_id, presence.box)
        if self._decided is None and presence.sharpness < self._settings.min_relative_sharpness * self._best_sharpness:
            self._item = replace(item, frames_rejected=item.frames_rejected + 1)
            return None
        self._best_sharpness = max(self._best_sharpness, presence.sharpness)
        return Target(item.item_id, presence.box, self._gathering.num_turns(item))

    def _is_many(self, presence: Presence, now_s: float) -> bool:
        if presence.phase is not Phase.MANY:
            self._many_since_s = None
            return False
        self._many_since_s = now_s if self._many_since_s is None else self._many_since_s
        return now_s - self._many_since_s >= self._settings.many_after_s
