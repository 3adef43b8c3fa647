"""Temperature scaling: one number that makes scores honest without changing any answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0

_GOLDEN = (5**0.5 - 1) / 2
_TOLERANCE = 1e-4  # in log temperature: finer than any score that is shown


def fit_temperature(
    logits: NDArray[np.float32], label_indices: NDArray[np.int64], prior: float = 1.0, prior_pictures: float = 0.0
) -> float:
    """The temperature that minimizes the negative log-likelihood of (N, C) logits and (N,) true classes.

    A few pictures that are all answered right would make a network certain of everything: the temperature
    `prior`, the one that holds now, can count as much as `prior_pictures` further pictures.

    After Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2; golden-section search
    over the logarithm, where the loss has one minimum. Stays within MIN_ and MAX_TEMPERATURE, which a
    model without a single mistake would leave. Rounded to four digits, so that it reads the same everywhere.

    >>> logits = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]], np.float32)
    >>> fit_temperature(logits, np.array([0, 0, 0, 1]))  # right three times in four: 4 / ln 3
    3.641
    """

    def loss(at: float) -> float:
        pull = prior_pictures / len(label_indices) * float(at - np.log(prior)) ** 2
        return negative_log_likelihood(logits, label_indices, float(np.exp(at))) + pull

    low, high = np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)
    inner_low, inner_high = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    loss_low, loss_high = loss(inner_low), loss(inner_high)
    while high - low > _TOLERANCE:
        if loss_low <= loss_high:
            high, inner_high, loss_high = inner_high, inner_low, loss_low
            inner_low = high - _GOLDEN * (high - low)
            loss_low = loss(inner_low)
        else:
            low, inner_low, loss_low = inner_low, inner_high, loss_high
            inner_high = low + _GOLDEN * (high - low)
            loss_high = loss(inner_high)
    return float(f"{np.exp((low + high) / 2):.4g}")


def negative_log_likelihood(
    logits: NDArray[np.float32], label_indices: NDArray[np.int64], temperature: float = 1.0
) -> float:
    """Mean over N of -log softmax(logits / temperature)[true class], in nats."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(scaled).sum(axis=1))
    return float((log_sums - scaled[np.arange(len(scaled)), label_indices]).mean())
