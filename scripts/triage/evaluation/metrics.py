"""Metrics of one class for many resamples of the cases at once.

A measure is prepared once from labels and predictions, then asked with ``counts`` [rounds, cases]:
row r says how often each case is drawn in round r (a bootstrap resample, or a single row of ones
for the sample itself). It has one value a round. A count of k equals listing a case k times.
A value that is undefined in a round is NaN, and ``reason`` says why; nothing undefined is ever 0.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from triage.evaluation.intervals import NOT_CALLED

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RANKING = ("roc_auc", "average_precision")
DECISION = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")
PROBABILITY = ("brier", "log_loss", "ece")
METRICS = RANKING + DECISION + PROBABILITY
MOVED, ALONG = "ece_moved", "ece_along"  # what the limits of the calibration error need
UNCALLED = f"{NOT_CALLED}positive"
OUTCOMES = ("true_positive", "false_positive", "false_negative", "true_negative")


class Measure(Protocol):
    """Metrics of one labelled sample in any resample of its cases."""

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name, for counts [rounds, cases]."""


class Ranking:
    """ROC AUC and PR AUC of ``scores`` [cases] for ``labels`` [cases] (0 or 1).

    ROC AUC is the probability that a positive outranks a negative, ties counting half (Hanley and
    McNeil, Radiology 143, 1982, p. 31). PR AUC is the average precision without interpolation:
    the precision at each distinct score, weighted by the share of the positives at that score.
    """

    def __init__(self, labels: Floats, scores: Floats) -> None:
        self.order = np.argsort(-scores, kind="stable")
        descending = scores[self.order]
        self.positive = np.flatnonzero(labels[self.order] == 1)
        # Cases of one score are one step. Only steps that hold a positive add to either sum.
        new = np.ones(len(scores), dtype=bool)
        new[1:] = descending[1:] != descending[:-1]
        starts = np.append(np.flatnonzero(new), len(scores))
        held, self.first = np.unique(np.cumsum(new)[self.positive] - 1, return_index=True)
        self.start, self.end = starts[held], starts[held + 1]

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name."""
        counts = columns(counts, self.order)
        reached = np.zeros((len(counts), counts.shape[1] + 1))
        np.cumsum(counts, axis=1, out=reached[:, 1:])
        before, marked = columns(reached, self.start), columns(reached, self.end)
        hits = _sums(columns(counts, self.positive), self.first)
        found = np.cumsum(hits, axis=1)
        positives = hits.sum(axis=1)
        negatives = reached[:, -1] - positives
        # Negatives ranked above the positives of a step: all before it, and half of those in it.
        above = (before + marked - 2 * found + hits) / 2
        outranked = negatives * positives - np.einsum("rs,rs->r", hits, above)
        precision = np.divide(found, marked, out=np.zeros_like(found), where=marked > 0)
        return {
            "roc_auc": ratio(outranked, negatives * positives),
            # Without a negative every ranking has precision 1, which would say nothing.
            "average_precision": ratio(
                np.einsum("rs,rs->r", hits, precision), positives, negatives > 0
            ),
        }


class Decision:
    """The metrics of decisions ``decided`` [cases] (True = called positive)."""

    def __init__(self, labels: Floats, decided: Bools) -> None:
        actual = labels == 1
        outcomes = (decided & actual, decided & ~actual, ~decided & actual, ~decided & ~actual)
        self.outcomes = np.stack(outcomes, axis=1).astype(float)

    def confusion(self, counts: Floats) -> Floats:
        """Counts [rounds, 4] in the order of OUTCOMES."""
        return counts @ self.outcomes

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name."""
        tp, fp, fn, tn = self.confusion(counts).T
        recall, specificity = ratio(tp, tp + fn), ratio(tn, tn + fp)
        return {
            "accuracy": ratio(tp + tn, tp + fp + fn + tn),
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": ratio(tp, tp + fp),
            "recall": recall,
            "specificity": specificity,
            "f1": ratio(2 * tp, 2 * tp + fp + fn, tp + fn > 0),
        }


class Probability:
    """Brier score, log loss and expected calibration error of ``probabilities`` [cases].

    The calibration error compares mean probability and share of positives in ``bins`` bins of
    equal width, weighted by the cases in them (Naeini et al., AAAI 2015; for the positive class).
    """

    def __init__(self, labels: Floats, probabilities: Floats, bins: int) -> None:
        error = probabilities - labels
        likelihood = np.where(labels == 1, probabilities, 1 - probabilities)
        loss = -np.log(np.maximum(likelihood, np.finfo(np.float64).eps))
        gaps = in_bins(probabilities, bins) * error[:, None]
        self.gaps = gaps.mean(axis=0)[:, None] if len(labels) else np.zeros((bins, 1))
        self.columns = np.column_stack([np.ones_like(error), error**2, loss, gaps])

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name."""
        total, brier, loss, *sums = (counts @ self.columns).T
        gaps = np.stack([ratio(each, total) for each in sums])
        moved = gaps - self.gaps
        return {
            "brier": ratio(brier, total),
            "log_loss": ratio(loss, total),
            "ece": np.abs(gaps).sum(axis=0),
            MOVED: np.abs(moved).sum(axis=0),
            ALONG: (moved * np.sign(self.gaps)).sum(axis=0),
        }


def columns(values: Floats, index: npt.NDArray[np.intp]) -> Floats:
    """``values[:, index]``, several times faster."""
    return np.take(values, index, axis=1)


def in_bins(probabilities: Floats, bins: int) -> Floats:
    """Which bin of equal width each probability falls in, as an indicator [cases, bins]."""
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    return (index[:, None] == np.arange(bins)).astype(float)


def ones(cases: int) -> Floats:
    """The counts [1, cases] of the sample as it is."""
    return np.ones((1, cases))


def reason(metric: str, labels: Floats, decided: Bools | None = None) -> str | None:
    """Why ``metric`` is undefined for these cases, or None where it is defined.

    That is so for every model, but for UNCALLED: precision, which needs ``decided``.
    """
    positive, marked = labels == 1, decided is not None and bool(decided.any())
    if not len(labels):
        return "no case with a known label"
    if metric in (*RANKING, "balanced_accuracy", "recall", "f1") and not positive.any():
        return "no positive case"
    if metric in (*RANKING, "balanced_accuracy", "specificity") and positive.all():
        return "no negative case"
    if metric == "precision" and not marked:
        return UNCALLED
    return None


def _sums(values: Floats, starts: npt.NDArray[np.intp]) -> Floats:
    """Sums [rounds, segments] of the columns from each start to the next."""
    if not len(starts):
        return np.zeros((len(values), 0))
    return np.add.reduceat(values, starts, axis=1)


def ratio(above: Floats, below: Floats, defined: Bools | bool = True) -> Floats:
    """``above`` / ``below``; NaN where that is undefined."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=(below > 0) & defined)
