"""Curves on a common grid with bootstrap bands, averaged over the runs of an arm.

A resample draws groups (patients, lesions) once for all runs, so that runs on the same cases share
it, as they share the cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triage.evaluation.bootstrap import group_counts
from triage.evaluation.metrics import in_bins
from triage.evaluation.samples import Floats
from triage.figures.runs import Arm

GRID = np.linspace(0, 1, 201)
# A band is read by eye: more rounds than this don't change what is seen.
ROUNDS = 500

# From labels [cases], probabilities [cases] and weights [rounds, cases] to values [rounds, points].
Curve = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True)
class Band:
    """The mean curve of an arm's runs [points] and the limits of its interval [points]."""

    middle: Floats
    low: Floats
    high: Floats


def band(arm: Arm, index: int, curve: Curve, rounds: int, confidence: float, seed: int) -> Band:
    """The curve of class number ``index`` with its interval; NaN where a curve is undefined."""
    samples = [member.known(index) for member in arm.members]
    names = np.unique(np.concatenate([sample.groups for sample in samples]))
    codes = [np.searchsorted(names, sample.groups) for sample in samples]
    most = max(len(sample.cases) for sample in samples)

    def mean(weights: list[Floats]) -> Floats:
        values = [
            curve(sample.labels[:, index], sample.probabilities[:, index], each)
            for sample, each in zip(samples, weights, strict=True)
        ]
        return _nanmean(np.stack(values))

    drawn = [
        mean([counts[:, code] for code in codes])
        for counts in group_counts(len(names), min(rounds, ROUNDS), seed, most)
    ]
    whole = mean([np.ones((1, len(sample.cases))) for sample in samples])
    tail = (1 - confidence) / 2
    low, high = _quantiles(np.concatenate(drawn), [tail, 1 - tail])
    return Band(whole[0], low, high)


def roc(labels: Floats, probabilities: Floats, weights: Floats) -> Floats:
    """The true positive rate [rounds, points] at the false positive rates of GRID."""
    false, true = roc_points(labels, probabilities, weights)
    return np.stack([np.interp(GRID, f, t) for f, t in zip(false, true, strict=True)])


def roc_points(labels: Floats, probabilities: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates [rounds, thresholds + 1], from no case called positive on."""
    hits, alarms = _counts_above(labels, probabilities, weights)
    return _shares(alarms), _shares(hits)


def precision_recall(labels: Floats, probabilities: Floats, weights: Floats) -> Floats:
    """The precision [rounds, points] at the highest threshold that reaches each recall of GRID.

    NaN in rounds without a positive, as no recall is reached there.
    """
    recalls, precisions = precision_recall_points(labels, probabilities, weights)
    values = []
    for recall, precision in zip(recalls, precisions, strict=True):
        # A recall of 0 has no precision of its own: it takes that of the surest positive.
        reached = np.searchsorted(recall, np.maximum(GRID, 1e-9) - 1e-12)
        values.append(precision[np.minimum(reached, len(precision) - 1)])
    return np.where(np.isnan(recalls[:, -1:]), np.nan, np.stack(values))


def precision_recall_points(
    labels: Floats, probabilities: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Recall and precision [rounds, thresholds], the highest threshold first."""
    hits, alarms = (each[:, 1:] for each in _counts_above(labels, probabilities, weights))
    called = hits + alarms
    precision = np.divide(hits, called, out=np.full_like(hits, np.nan), where=called > 0)
    return _shares(hits), precision


def reliability(bins: int) -> Curve:
    """A curve function: the share of positives [rounds, bins] in bins of equal width."""

    def shares(labels: Floats, probabilities: Floats, weights: Floats) -> Floats:
        members = in_bins(probabilities, bins)
        total, positive = weights @ members, weights @ (members * labels[:, None])
        return np.divide(positive, total, out=np.full_like(total, np.nan), where=total > 0)

    return shares


def _counts_above(labels: Floats, probabilities: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """True and false positives [rounds, thresholds + 1] at each distinct probability."""
    order = np.argsort(-probabilities, kind="stable")
    descending, positive = probabilities[order], labels[order] == 1
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    sorted_weights = weights[:, order]
    start = np.zeros((len(weights), 1))
    hits, alarms = (
        np.concatenate([start, np.cumsum(sorted_weights * mask, axis=1)[:, ends]], axis=1)
        for mask in (positive, ~positive)
    )
    return hits, alarms


def _shares(counts: Floats) -> Floats:
    total = counts[:, -1:]
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def _nanmean(values: Floats) -> Floats:
    """The mean over the first axis of what is defined; NaN, without a warning, where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _quantiles(values: Floats, shares: list[float]) -> Floats:
    """Quantiles over the first axis of what is defined."""
    undefined = np.isnan(values).all(axis=0)
    filled = np.where(undefined, 0.0, values)
    return np.where(undefined, np.nan, np.nanquantile(filled, shares, axis=0))
