"""Estimates with intervals that hold up for few cases, few groups and values near 0 or 1.

The spread of a metric comes from resamples of groups. Its limits come from the binomial
distribution, since the resamples of 19 of 20, or of a ranking without a mistake, hardly vary
though other cases would. benchmarks/bench_coverage.py measures how often intervals hold the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit

from triage.runs import Place

Floats = npt.NDArray[np.float64]

SAME = 1e-12
NAN = float("nan")
FIXED = "the same for any cases"
NOT_CALLED = "no case is called "  # starts the reason for which a model is to blame
SKEWED = "log_loss"
RARE_LOSSES = "brier"  # bounded, but made by the few cases that are far off
BIASED = "ece"  # sampling only ever raises it, so that a mean over several is as far off


@dataclass(frozen=True)
class Support:
    """How much a metric stands on: at most so many independent cases, and so many groups."""

    cases: float
    groups: float


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; NaN where undefined, ``reason`` says why.

    ``replicates`` [rounds] are those of the bootstrap. ``low`` may lie below the ``least`` that the
    metric can be: a mean over several would be too sure if each were cut off there.
    """

    value: float
    low: float
    high: float
    reason: str | None = None
    replicates: Floats = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    least: float = float("-inf")

    @property
    def limits(self) -> tuple[float, float]:
        """The interval as it is shown."""
        return max(self.low, self.least), self.high

    @property
    def is_uncalled(self) -> bool:
        """Whether it is undefined since the model calls no case positive."""
        return bool(np.isnan(self.value)) and (self.reason or "").startswith(NOT_CALLED)

    def as_json(self) -> dict[str, Any]:
        """The same as plain data, with None for NaN; ``undefined`` counts resamples."""
        numbers = dict(zip(("value", "low", "high"), (self.value, *self.limits), strict=True))
        plain = {name: None if np.isnan(number) else number for name, number in numbers.items()}
        undefined = int(np.isnan(self.replicates).sum())
        return {**plain, "undefined": undefined, "reason": self.reason}


def estimate(
    metric: str,
    value: float,
    replicates: Floats,
    support: Support,
    confidence: float,
    reason: str | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """``value`` of one class with the interval that the spread of ``replicates`` [rounds] gives.

    ``span`` is the least and the greatest value that the metric can have.

    F1 has the limits of the share it stands for, tp / (tp + fp + fn). Log loss has no upper bound:
    its limits are those of Student's t on its logarithm, and the upper reach grows with the
    skewness of the resamples, as the largest losses are rare in a sample. A Brier score has the
    wider of those and of a share's.
    """
    if np.isnan(value):
        return Estimate(value, NAN, NAN, reason, replicates)
    defined = replicates[~np.isnan(replicates)]
    least, width = span[0], span[1] - span[0]
    if metric == SKEWED and np.ptp(defined) > SAME:
        low, high = _log_limits(value, defined, support, confidence)
    elif metric == SKEWED:
        high, low = (-np.log(each) for each in _limits(np.exp(-value), 0.0, support, confidence))
    elif metric == RARE_LOSSES and np.ptp(defined) > SAME:
        share = _limits(value / width, _variance(defined / width), support, confidence)
        logs = _log_limits(value, defined, support, confidence)
        low, high = min(width * share[0], logs[0]), min(width, max(width * share[1], logs[1]))
    elif metric == "f1":
        shares = defined / (2 - defined)
        limits = _limits(value / (2 - value), _variance(shares), support, confidence)
        low, high = (2 * each / (1 + each) for each in limits)
    else:
        variance = _variance(defined) / width**2
        limits = _limits((value - least) / width, variance, support, confidence)
        low, high = (least + width * each for each in limits)
    return Estimate(value, min(float(low), value), max(float(high), value), reason, replicates)


def share_limits(
    share: npt.ArrayLike,
    variance: npt.ArrayLike,
    cases: npt.ArrayLike,
    groups: npt.ArrayLike,
    confidence: float,
) -> tuple[Floats, Floats]:
    """The limits of a share, or of anything between 0 and 1, by the variance of its resamples.

    Clopper and Pearson's (Biometrika 26, 1934, p. 404) for as many independent cases as would vary
    so: at most ``cases``, fewer the fewer ``groups`` tell the variance, and ``groups`` where that
    tells nothing, at 0 and 1 (Korn and Graubard, Survey Methodology 24, 1998, p. 193).
    """
    value, varies, most, told = (
        np.asarray(each, dtype=float)
        for each in np.broadcast_arrays(share, variance, cases, groups)
    )
    unbiased = varies * told / np.maximum(told - 1, 1)
    spread = (unbiased > SAME**2) & (value * (1 - value) > SAME)
    number = np.divide(value * (1 - value), unbiased, out=told.copy(), where=spread)
    number = np.minimum(number, np.where(spread, most, told))
    tail = (1 - confidence) / 2
    known = stdtrit(np.maximum(number - 1, 1), tail) / stdtrit(np.maximum(told - 1, 0.1), tail)
    number = np.maximum(number * np.minimum(known, 1) ** 2, 1)
    hits, misses = value * number, (1 - value) * number
    low = np.where(hits > SAME, betaincinv(np.maximum(hits, SAME), misses + 1, tail), 0)
    high = np.where(misses > SAME, betaincinv(hits + 1, np.maximum(misses, SAME), 1 - tail), 1)
    return low, high


def ranking_cases(auc: float, positives: float, negatives: float) -> float:
    """How many cases a ROC AUC is worth as a share.

    By the variance that Hanley and McNeil give it (Radiology 143, 1982, p. 29), with half of all
    cases for both classes in it (Newcombe, Statistics in Medicine 25, 2006, p. 559).
    """
    others = (positives + negatives) / 2 - 1
    shape = (1 - auc) / (2 - auc) + auc / (1 + auc)
    return max(1.0, positives * negatives / (1 + others * shape))


def combined(
    parts: Sequence[Estimate], shares: Sequence[float] | Floats, dependent: float | None
) -> tuple[float, float, float]:
    """The sum of ``parts``, each times its share, with its limits, from those of the parts.

    Each part's distance to its limit counts as a deviation, and resamples tell how parts vary
    together (MOVER: Zou and Donner, Statistics in Medicine 27, 2008, p. 1693). Parts correlate by
    ``dependent`` where a resample can't tell; None: all of them fully.
    """
    share, value = np.array(shares), np.array([part.value for part in parts])
    below = value - np.array([part.low for part in parts])
    above = np.array([part.high for part in parts]) - value
    together = np.ones((len(parts), len(parts)))
    if dependent is not None and len(parts) > 1:
        together = _correlation(np.stack([part.replicates for part in parts]), dependent)
    total = float(share @ value)
    down, up = (share * np.where(share > 0, *pair) for pair in ((below, above), (above, below)))
    reaches = [float(np.sqrt(max(each @ together @ each, 0))) for each in (down, up)]
    return total, total - reaches[0], total + reaches[1]


def mean(
    metric: str, parts: Mapping[str, Estimate], dependent: float, sizes: Floats | None = None
) -> Estimate:
    """The mean of a metric over classes or runs, by name, one and the same for every model.

    Each counts as much as the others, or by its size of ``sizes`` [parts].

    Left out are those that no model could be measured on. Where a model has no value because it
    calls no case positive, the mean has none: that of the others would say something else. A
    resample in which one is undefined tells how far the others are from their own value.
    """
    if len(parts) == 1:
        return next(iter(parts.values()))
    uncalled = [name for name, part in parts.items() if part.is_uncalled]
    measured = [not np.isnan(part.value) for part in parts.values()]
    kept = [part for part, known in zip(parts.values(), measured, strict=True) if known]
    left_out = [name for name, part in parts.items() if np.isnan(part.value)]
    reason = f"undefined for {', '.join(left_out)}" if left_out else None
    if uncalled or not kept:
        why = f"{NOT_CALLED}{' or '.join(uncalled)}" if uncalled else reason
        rounds = max(len(part.replicates) for part in parts.values())
        return Estimate(NAN, NAN, NAN, why, np.full(rounds, NAN))
    shares = (np.ones(len(parts)) if sizes is None else sizes)[measured]
    shares = shares / shares.sum()
    own = np.array([part.value for part in kept])
    deviations = np.stack([part.replicates for part in kept]) - own[:, None]
    present = ~np.isnan(deviations) * shares[:, None]
    count, total = present.sum(axis=0), np.nansum(deviations * shares[:, None], axis=0)
    moved = np.divide(total, count, np.full_like(total, NAN), where=count > 0)
    value, low, high = combined(kept, shares, None if metric.startswith(BIASED) else dependent)
    return Estimate(value, low, high, reason, value + moved, kept[0].least)


def calibration_limits(
    value: float, moved: Floats, along: Floats, confidence: float
) -> tuple[float, float]:
    """The limits of a calibration error, the sum of the absolute gaps of all bins.

    It is no farther from the truth than the gaps ``moved`` in all (the triangle inequality), and
    above the truth by no more than they moved ``along`` their signs; both [rounds]. The lower limit
    may be below 0.
    """
    tail = (1 - confidence) / 2
    low, high = value - np.nanquantile(moved, 1 - tail), value - np.nanquantile(along, tail)
    return float(low), min(1.0, max(value, float(high)))


@dataclass(frozen=True)
class Spread:
    """Sample standard deviations over runs; NaN where there is only one.

    ``over_seeds`` pools the variance between seeds within each fold; ``over_folds`` is that
    between the folds' means.
    """

    over_seeds: float
    over_folds: float


def spread(values: Mapping[tuple[Place, Place], float]) -> Spread:
    """The spread of a metric's values by (fold, seed). Undefined values are left out."""
    by_fold: dict[Place, list[float]] = {}
    for (fold, _), value in values.items():
        if not np.isnan(value):
            by_fold.setdefault(fold, []).append(value)
    several = [each for each in by_fold.values() if len(each) > 1]
    freedom = sum(len(each) - 1 for each in several)
    squares = sum((len(each) - 1) * float(np.var(each, ddof=1)) for each in several)
    means = [float(np.mean(each)) for each in by_fold.values()]
    return Spread(
        over_seeds=float(np.sqrt(squares / freedom)) if freedom else NAN,
        over_folds=float(np.std(means, ddof=1)) if len(means) > 1 else NAN,
    )


def mean_of(values: Mapping[tuple[Place, Place], float]) -> float:
    """The mean of those values that are defined; NaN where none is."""
    defined = [value for value in values.values() if not np.isnan(value)]
    return float(np.mean(defined)) if defined else NAN


def _limits(
    value: float, variance: float, support: Support, confidence: float
) -> tuple[float, float]:
    low, high = share_limits(value, variance, support.cases, support.groups, confidence)
    return float(low), float(high)


def _log_limits(
    value: float, defined: Floats, support: Support, confidence: float
) -> tuple[float, float]:
    deviations = defined - defined.mean()
    deviation = float(np.sqrt(np.mean(deviations**2)))
    skewness = max(0.0, float(np.mean(deviations**3)) / deviation**3)
    groups = max(support.groups, 2)
    error = deviation * np.sqrt(groups / (groups - 1)) / value
    reach = stdtrit(groups - 1, (1 + confidence) / 2) * error
    return value * np.exp(-reach), value * np.exp(reach * (1 + skewness))


def _variance(defined: Floats) -> float:
    return float(np.var(defined)) if len(defined) else 0.0


def _correlation(replicates: Floats, unknown: float) -> Floats:
    """The correlation of parts over their replicates [parts, rounds]."""
    defined = ~np.isnan(replicates)
    count = np.maximum(defined.sum(axis=1, keepdims=True), 1)
    centred = np.where(defined, replicates, 0)
    centred = np.where(defined, replicates - centred.sum(axis=1, keepdims=True) / count, 0)
    size = np.sqrt((centred**2).sum(axis=1))
    varies = size > SAME
    unit = centred / np.where(varies, size, 1)[:, None]
    found = np.where(varies[:, None] & varies, unit @ unit.T, unknown)
    np.fill_diagonal(found, 1)
    return found
