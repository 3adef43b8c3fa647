"""When a phase slows down and when it ends: pure functions of the validation losses so far.

A resumed run sees the same losses, so it decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from train.recipes import Phase


def plateau_rate(phase: Phase, val_losses: Sequence[float]) -> float:
    """The learning rate after these epochs of the phase: lower by a factor for each wait without improvement.

    >>> waits = {"schedule": "plateau", "plateau_patience": 2, "plateau_factor": 0.5}
    >>> phase = Phase(epochs=9, trainable="all", learning_rate=1.0, **waits)
    >>> [plateau_rate(phase, losses) for losses in ([], [3, 2, 2], [3, 2, 2, 2], [3, 2, 2, 2, 2, 2])]
    [1.0, 1.0, 0.5, 0.25]
    """
    rate, best, waited = phase.learning_rate, float("inf"), 0
    for loss in val_losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited >= phase.plateau_patience:
            rate, waited = rate * phase.plateau_factor, 0
    return rate


def is_over(phase: Phase, val_losses: Sequence[float]) -> bool:
    """Whether the phase has had its epochs, or waited too long for a lower loss.

    >>> phase = Phase(epochs=9, trainable="all", learning_rate=1.0, schedule="constant", stop_patience=2)
    >>> [is_over(phase, losses) for losses in ([3, 2, 2], [3, 2, 2, 2], [1] * 9)]
    [False, True, True]
    """
    if len(val_losses) >= phase.epochs:
        return True
    if not phase.stop_patience or not val_losses:
        return False
    best_index = min(range(len(val_losses)), key=val_losses.__getitem__)
    return len(val_losses) - 1 - best_index >= phase.stop_patience
