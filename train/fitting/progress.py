"""What an epoch came to, how long the rest takes, and who wants to know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One finished epoch of phase `phase`, both counted from 1.

    `loss` and `accuracy` are on augmented training pictures, so `accuracy` may well be below `val_accuracy`.
    """

    epoch: int
    phase: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    epoch_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """The epochs so far, at least one, of at most `num_epochs`."""

    history: Sequence[Epoch]
    num_epochs: int

    @property
    def last(self) -> Epoch:
        """The epoch that has just ended."""
        return self.history[-1]

    @property
    def left_s(self) -> float:
        """How long the rest takes at most, at the pace of the last epoch."""
        return self.last.epoch_s * (self.num_epochs - len(self.history))


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to know: `on_step` of the steps done and left to do in an epoch, `on_epoch` of each epoch's end."""

    on_step: Callable[[int, int], None] | None = None
    on_epoch: Callable[[Progress], None] | None = None


NOBODY = Watch()
