"""What was decided and lies there still: known again by how it looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.items.boxes import intersection_over_union
from edge.messages import Box, Phase, Presence

Embedding = NDArray[np.float32]

# The cosine from which two embeddings may be of the same thing, where the bundle does not say (`convert.proof.novelty`
# measures it). Of TrashNet's val pictures one in 20 is as like to another object of its class, and one in 3,000 to one
# of another; seen a quarter turn further 98 % are as like to themselves, and 83 % of objects seen from another side.
SAME_LIKENESS = 0.7
# Of what is left from there to 1 several must be nearer by a third: an item that was joined by another is as like as
# 0.75 to itself alone, several after a hand has reached for them 0.9.
_LEFT_TO_SEVERAL = 2 / 3
_NUM_UNLIKE = 3  # frames in a row that must be less alike
# The share of what two boxes cover together that both cover, when one thing lies where it lay; the box of a small one
# trembles by a sixth of its length.
_SAME_PLACE = 0.5


def likeness(one: Embedding, other: Embedding) -> float:
    """The cosine between two embeddings (D,); 1 where one of them says nothing."""
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 1.0


class Decided:
    """One item, or several at once, after the decision.

    `look` (D,) is its embedding, None where that is not known, and `box` is where it lay, in frame pixels.

    It lies there until it has moved, and then until frame after frame, seen without an arm, looks otherwise: less like
    it than `same_likeness`.
    """

    def __init__(self, look: Embedding | None, box: Box | None, same_likeness: float, *, is_many: bool) -> None:
        self._look = look
        self._box = box
        self._same_likeness = same_likeness
        self._is_many = is_many
        self._has_moved = False
        self._num_unlike = 0

    @property
    def has_moved(self) -> bool:
        """Whether something moved since it was last known to lie there."""
        return self._has_moved

    @property
    def has_gone(self) -> bool:
        """Whether what lies there is surely something else."""
        return self._num_unlike >= _NUM_UNLIKE

    def move(self) -> None:
        """Something moves: from now on another may lie there."""
        self._has_moved = True
        # Of several without a look nothing can be told: somebody took some of them away.
        self._num_unlike = _NUM_UNLIKE if self._is_many and self._look is None else 0

    def may_be_gone(self, presence: Presence) -> bool:
        """Whether what lies still now is worth to be held against it."""
        return self._has_moved and self._look is not None and not presence.has_arm

    def lay_at(self, box: Box | None) -> bool:
        """Whether `box` is where it lay when it was decided."""
        return box is not None and self._box is not None and intersection_over_union(self._box, box) >= _SAME_PLACE

    def recognizes(self, embedding: Embedding | None, phase: Phase) -> bool:
        """Whether this may be the same still, as it may be without a look; counts the frames in which it is not."""
        if self._look is not None and embedding is not None:
            # Of several one may be left, and what does not count as resting yet may turn out to be several.
            is_single = phase is Phase.SETTLED and not self._is_many
            least = self._same_likeness if is_single else 1 - _LEFT_TO_SEVERAL * (1 - self._same_likeness)
            if likeness(self._look, embedding) < least:
                self._num_unlike += 1
                return False
        self._has_moved, self._num_unlike = False, 0
        return True
