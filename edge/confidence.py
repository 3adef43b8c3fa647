"""How far shares and scores can be trusted: intervals, and whether scores mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_Z95 = 1.959964  # two-sided 95 % of the normal distribution
_NUM_BINS = 15  # as Guo et al. 2017 use


def wilson_interval(num_right: int, num_images: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson 1927: sound for few pictures and near 0 and 1.

    Of no pictures at all nothing is known.

    >>> [round(bound, 3) for bound in wilson_interval(9, 10)]
    [0.596, 0.982]
    >>> wilson_interval(0, 0)
    (0.0, 1.0)
    """
    if num_images == 0:
        return 0.0, 1.0
    share, z2 = num_right / num_images, _Z95 * _Z95
    center = (share + z2 / (2 * num_images)) / (1 + z2 / num_images)
    spread = share * (1 - share) / num_images + z2 / (4 * num_images**2)
    half = _Z95 * spread**0.5 / (1 + z2 / num_images)
    return max(0.0, center - half), min(1.0, center + half)


def prediction_interval(num_right: float, num_seen: float, num_next: int) -> tuple[float, float]:
    """Where the share will lie among the next `num_next`, 95 %, when `num_right` of `num_seen` were right.

    Wider than Wilson's, which is about the true share: chance strikes again. Beta-binomial with the prior of
    Jeffreys. Counts may be fractions, where several pictures count as one.

    >>> prediction_interval(95, 100, 100)
    (0.87, 0.99)
    """
    if num_next == 0:
        return 0.0, 1.0
    right, wrong = num_right + 0.5, num_seen - num_right + 0.5
    logs = [_log_chance(count, num_next, right, wrong) for count in range(num_next + 1)]
    upto = np.cumsum(np.exp(logs))
    low, high = (int(np.searchsorted(upto, tail)) for tail in (0.025, 0.975))
    return low / num_next, min(high, num_next) / num_next


def tolerance_bound(values: NDArray[np.floating], share: float) -> float:
    """Below what a `share` of all values lies, 95 % sure, by the few (N,) that were seen; N at least 6.

    For values that are about normally distributed: Natrella 1963, as in the NIST e-Handbook 7.2.6.3.

    >>> round(tolerance_bound(np.array([1.0, 2, 3, 4, 5, 6]), 0.98), 2)
    11.88
    """
    likely, sure = NormalDist().inv_cdf(share), NormalDist().inv_cdf(0.95)
    a = 1 - sure**2 / (2 * (len(values) - 1))
    b = likely**2 - sure**2 / len(values)
    factor = (likely + (likely**2 - a * b) ** 0.5) / a
    return float(values.mean() + factor * values.std(ddof=1))


def _log_chance(count: int, total: int, right: float, wrong: float) -> float:
    """The logarithm of the beta-binomial probability of `count` of `total`."""
    choose = lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1)
    before = lgamma(right) + lgamma(wrong) - lgamma(right + wrong)
    return choose + lgamma(right + count) + lgamma(wrong + total - count) - lgamma(right + wrong + total) - before


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What scores promised and what came of it, in bins of equal width: each (num_bins,).

    `counts` pictures fell into each bin; `promised` is their mean confidence, `kept` the share that was
    right, both NaN in empty bins.
    """

    counts: NDArray[np.int64]
    promised: NDArray[np.float64]
    kept: NDArray[np.float64]


def reliability(
    confidence: NDArray[np.floating], is_right: NDArray[np.bool_], num_bins: int = _NUM_BINS
) -> Reliability:
    """The reliability diagram of confidences (N,) in 0..1 and whether they were right, (N,)."""
    bins = np.clip((confidence * num_bins).astype(int), 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    filled = np.where(counts > 0, counts, np.nan)
    promised = np.bincount(bins, weights=confidence.astype(np.float64), minlength=num_bins) / filled
    kept = np.bincount(bins, weights=is_right.astype(np.float64), minlength=num_bins) / filled
    return Reliability(counts, promised, kept)


def calibration_error(confidence: NDArray[np.floating], is_right: NDArray[np.bool_]) -> float:
    """Expected calibration error, 0..1: the gap of confidence and accuracy, averaged over the bins."""
    bins = reliability(confidence, is_right)
    return float(np.nansum(bins.counts * np.abs(bins.promised - bins.kept)) / len(confidence))


def chance_error(confidence: NDArray[np.floating], num_draws: int = 200) -> float:
    """The calibration error that scores with these confidences (N,) would show if they were perfectly honest.

    It is not 0: few pictures fall into each bin, and chance decides how many of them are right.
    """
    rng = np.random.default_rng(0)
    draws = rng.random((num_draws, len(confidence))) < confidence
    return float(np.mean([calibration_error(confidence, is_right) for is_right in draws]))
