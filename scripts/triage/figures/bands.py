"""Curves on a common grid with bootstrap bands, averaged over the runs of an arm.

A resample draws groups (patients, lesions) once for all runs, so that runs on the same cases share
it, as they share the cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triage.evaluation.bootstrap import group_counts
from triage.evaluation.intervals import share_limits
from triage.evaluation.metrics import in_bins
from triage.evaluation.samples import Floats, Sample
from triage.figures.runs import Arm
from triage.figures.settings import FigureSettings

GRID = np.linspace(0, 1, 201)
# A band is read by eye: more rounds than this don't change what is seen.
ROUNDS = 500

# From labels [cases], probabilities [cases] and counts [rounds, cases] to values [rounds, points].
Curve = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True)
class Band:
    """The mean curve of an arm's runs [points] and the limits of its interval [points]."""

    middle: Floats
    low: Floats
    high: Floats


def band(arm: Arm, index: int, curve: Curve, settings: FigureSettings, bins: int = 0) -> Band:
    """The curve of class number ``index`` with its interval; NaN where a curve is undefined.

    Its values are shares of the positives or, of a curve over ``bins``, of the cases in each.
    """
    samples = arm.known(index)
    names = np.unique(np.concatenate([sample.groups for sample in samples]))
    codes = [np.searchsorted(names, sample.groups) for sample in samples]
    most = max(len(sample.cases) for sample in samples)

    def mean(counts: list[Floats]) -> Floats:
        values = [
            curve(sample.labels[:, index], sample.probabilities[:, index], each)
            for sample, each in zip(samples, counts, strict=True)
        ]
        return _nanmean(np.stack(values))

    rounds = min(settings.replicates, ROUNDS)
    drawn = [
        mean([counts[:, code] for code in codes])
        for counts in group_counts(len(names), rounds, settings.seed, most)
    ]
    whole = mean([np.ones((1, len(sample.cases))) for sample in samples])[0]
    variance = _variance(np.concatenate(drawn))
    cases, groups = _stand_on(samples, index, bins)
    low, high = share_limits(np.nan_to_num(whole), variance, cases, groups, settings.confidence)
    limits = (np.where(np.isnan(whole), np.nan, limit) for limit in (low, high))
    return Band(whole, *limits)


def _stand_on(samples: list[Sample], index: int, bins: int) -> tuple[Floats, Floats]:
    """How many cases and groups the values of a curve are shares of [bins, or 1]."""
    labels, scores = (
        np.concatenate([values[:, index] for values in each])
        for each in zip(*[(sample.labels, sample.probabilities) for sample in samples], strict=True)
    )
    members = in_bins(scores, bins).T if bins else labels[None]
    counted = []
    for column in ("cases", "groups"):
        names = np.concatenate([getattr(sample, column) for sample in samples])
        counted.append(np.array([float(len(np.unique(names[each > 0]))) for each in members]))
    return counted[0], np.maximum(counted[1], 1)


def roc(labels: Floats, probabilities: Floats, counts: Floats) -> Floats:
    """The true positive rate [rounds, points] at the false positive rates of GRID."""
    false, true = roc_points(labels, probabilities, counts)
    return np.stack([np.interp(GRID, f, t) for f, t in zip(false, true, strict=True)])


def roc_points(labels: Floats, probabilities: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates [rounds, thresholds + 1], from no case called positive on."""
    hits, alarms = _counts_above(labels, probabilities, counts)
    return _shares(alarms), _shares(hits)


def precision_recall(labels: Floats, probabilities: Floats, counts: Floats) -> Floats:
    """The precision [rounds, points] at the highest threshold that reaches each recall of GRID.

    NaN in rounds without a positive, as no recall is reached there.
    """
    recalls, precisions = precision_recall_points(labels, probabilities, counts)
    values = []
    for recall, precision in zip(recalls, precisions, strict=True):
        # A recall of 0 has no precision of its own: it takes that of the surest positive.
        reached = np.searchsorted(recall, np.maximum(GRID, 1e-9) - 1e-12)
        values.append(precision[np.minimum(reached, len(precision) - 1)])
    return np.where(np.isnan(recalls[:, -1:]), np.nan, np.stack(values))


def precision_recall_points(
    labels: Floats, probabilities: Floats, counts: Floats
) -> tuple[Floats, Floats]:
    """Recall and precision [rounds, thresholds], the highest threshold first."""
    hits, alarms = (each[:, 1:] for each in _counts_above(labels, probabilities, counts))
    called = hits + alarms
    precision = np.divide(hits, called, out=np.full_like(hits, np.nan), where=called > 0)
    return _shares(hits), precision


def reliability(bins: int) -> Curve:
    """A curve function: the share of positives [rounds, bins] in bins of equal width."""

    def shares(labels: Floats, probabilities: Floats, counts: Floats) -> Floats:
        members = in_bins(probabilities, bins)
        total, positive = counts @ members, counts @ (members * labels[:, None])
        return np.divide(positive, total, out=np.full_like(total, np.nan), where=total > 0)

    return shares


def _counts_above(labels: Floats, probabilities: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """True and false positives [rounds, thresholds + 1] at each distinct probability."""
    order = np.argsort(-probabilities, kind="stable")
    descending, positive = probabilities[order], labels[order] == 1
    ends = np.flatnonzero(np.append(descending[1:] != descending[:-1], True))
    drawn = counts[:, order]
    start = np.zeros((len(counts), 1))
    hits, alarms = (
        np.concatenate([start, np.cumsum(drawn * mask, axis=1)[:, ends]], axis=1)
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


def _variance(values: Floats) -> Floats:
    """The variance over the first axis of what is defined; 0 where nothing is."""
    centred = values - _nanmean(values)
    return np.nan_to_num(_nanmean(centred**2))
