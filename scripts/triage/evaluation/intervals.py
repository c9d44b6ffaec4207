"""Estimates with intervals from bootstrap replicates, and the spread over seeds and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# With fewer defined replicates than this share, an interval would describe lucky resamples only.
LEAST_DEFINED = 0.5
SAME = 1e-12
# A sum of absolute gaps: sampling inflates it, and resampling inflates it once more. So it does a
# precision at the ranks of few positives, which a mean over classes does not level out.
INFLATED = ("ece",)
INFLATED_MEANS = ("ece", "average_precision")


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; NaN where undefined, ``reason`` says why.

    ``undefined``: how many of the replicates had no value.
    """

    value: float
    low: float
    high: float
    undefined: int
    reason: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as plain data, with None for NaN."""
        return {
            key: None if isinstance(item, float) and np.isnan(item) else item
            for key, item in asdict(self).items()
        }


def estimate(
    metric: str,
    value: float,
    replicates: Floats,
    confidence: float,
    reason: str | None = None,
    classes: int = 1,
) -> Estimate:
    """``value`` with the interval of its ``replicates`` [rounds]; of a mean over ``classes``.

    The interval is the percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, ch. 13): it needs no formula for each metric and stays inside the metric's range. BCa
    would need every group left out once, which costs more than the bootstrap itself on large
    samples. What resampling inflates has the basic interval (same book, p. 174), which takes the
    inflation off again. The interval always holds the value itself.
    """
    defined = replicates[~np.isnan(replicates)]
    undefined = len(replicates) - len(defined)
    nan = float("nan")
    if np.isnan(value):
        return Estimate(nan, nan, nan, undefined, reason)
    if len(defined) < max(2, LEAST_DEFINED * len(replicates)):
        why = f"no interval: undefined in {undefined} of {len(replicates)} resamples"
        return Estimate(value, nan, nan, undefined, _joined(reason, why))
    if np.ptp(defined) < SAME:
        why = "no interval: every resample has the same value"
        return Estimate(value, nan, nan, undefined, _joined(reason, why))
    low, high = limits(defined, confidence)
    if is_inflated(metric, classes):
        low, high = max(0.0, 2 * value - high), min(1.0, 2 * value - low)
    return Estimate(value, min(low, value), max(high, value), undefined, reason)


def is_inflated(metric: str, classes: int) -> bool:
    """Whether resampling raises a metric of one class, or its mean over several."""
    return metric in (INFLATED if classes == 1 else INFLATED_MEANS)


def limits(replicates: Floats, confidence: float) -> tuple[float, float]:
    """The middle ``confidence`` of the replicates [rounds], none of them NaN."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class Spread:
    """Sample standard deviations over runs; NaN where there is only one.

    ``over_seeds`` pools the variance between seeds within each fold; ``over_folds`` is that
    between the folds' means.
    """

    over_seeds: float
    over_folds: float


def spread(values: Mapping[tuple[int, int], float]) -> Spread:
    """The spread of a metric's values by (fold, seed). Undefined values are left out."""
    by_fold: dict[int, list[float]] = {}
    for (fold, _), value in values.items():
        if not np.isnan(value):
            by_fold.setdefault(fold, []).append(value)
    several = [each for each in by_fold.values() if len(each) > 1]
    freedom = sum(len(each) - 1 for each in several)
    squares = sum((len(each) - 1) * float(np.var(each, ddof=1)) for each in several)
    return Spread(
        over_seeds=float(np.sqrt(squares / freedom)) if freedom else float("nan"),
        over_folds=_deviation([_mean(each) for each in by_fold.values()]),
    )


def mean_of(values: Mapping[tuple[int, int], float]) -> float:
    """The mean of those values that are defined; NaN where none is."""
    return _mean([value for value in values.values() if not np.isnan(value)])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _joined(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part)
