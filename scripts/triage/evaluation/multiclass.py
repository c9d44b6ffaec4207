"""Metrics of classes that exclude each other, over all of them at once.

Each class by itself, against the others, is measured as that of a binary study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from triage.evaluation.intervals import (
    FIXED,
    Estimate,
    Support,
    calibration_limits,
    estimate,
    mean,
)
from triage.evaluation.metrics import ALONG, MOVED, Probability, ones, ratio
from triage.evaluation.samples import Floats

Codes = npt.NDArray[np.intp]
Key = tuple[str, str]  # section and metric
Values = dict[Key, Floats]  # [rounds]
Estimates = dict[Key, Estimate]

# Means over classes: of which metric of a class, and whether weighted by the cases of each.
MEANS = {
    "roc_auc": ("roc_auc", False),
    "roc_auc_weighted": ("roc_auc", True),
    "average_precision": ("average_precision", False),
    "average_precision_weighted": ("average_precision", True),
    "balanced_accuracy": ("recall", False),
    "f1": ("f1", False),
    "f1_weighted": ("f1", True),
    "ece_classwise": ("ece", False),
}
RANKING = tuple(MEANS)[:4]
DECISION = ("accuracy", "balanced_accuracy", "f1", "f1_weighted", "kappa", "kappa_quadratic")
PROBABILITY = ("brier", "log_loss", "ece", "ece_classwise")
METRICS = RANKING + DECISION + PROBABILITY
SPANS = {"kappa": (-1.0, 1.0), "kappa_quadratic": (-1.0, 1.0), "brier": (0.0, 2.0)}


class Agreement:
    """Accuracy, and Cohen's kappa of ``true`` and ``called`` classes [cases], by their number.

    Kappa is the agreement beyond that of chance (Cohen, Educ. Psychol. Meas. 20, 1960, p. 37);
    ``places`` [classes] of classes in an order give its quadratic form, in which a mistake counts
    by the square of its distance (Cohen, Psychological Bulletin 70, 1968, p. 213).
    """

    def __init__(self, true: Codes, called: Codes, classes: int, places: Codes | None) -> None:
        self.classes = classes
        self.pairs = (true * classes + called)[:, None] == np.arange(classes**2)
        self.weights = {"kappa": 1.0 - np.eye(classes)}
        if places is not None:
            self.weights["kappa_quadratic"] = (places[:, None] - places.astype(float)) ** 2

    def confusion(self, counts: Floats) -> Floats:
        """Cases [rounds, true class, called class]."""
        return (counts @ self.pairs).reshape(-1, self.classes, self.classes)

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name."""
        matrix = self.confusion(counts)
        total = matrix.sum(axis=(1, 2))
        chance = matrix.sum(axis=2)[:, :, None] * matrix.sum(axis=1)[:, None, :]
        found = {"accuracy": ratio(np.trace(matrix, axis1=1, axis2=2), total)}
        for name, weights in self.weights.items():
            expected = (chance * weights).sum(axis=(1, 2))
            found[name] = 1 - ratio(total * (matrix * weights).sum(axis=(1, 2)), expected)
        return found


class Distribution:
    """Brier score, log loss and top-label calibration error of ``probabilities`` [cases, classes].

    The Brier score sums over classes (Brier, Monthly Weather Review 78, 1950, p. 1): 0 to 2. The
    calibration error compares the probability of the likeliest class with how often it is right
    (Guo et al., ICML 2017).
    """

    def __init__(self, true: Codes, probabilities: Floats, bins: int) -> None:
        cases = np.arange(len(true))
        right = probabilities.argmax(axis=1) == true
        self.top = Probability(right.astype(float), probabilities.max(axis=1), bins)
        squares = (probabilities**2).sum(axis=1) - 2 * probabilities[cases, true] + 1
        likelihood = np.maximum(probabilities[cases, true], np.finfo(np.float64).eps)
        self.columns = np.column_stack([np.ones(len(true)), squares, -np.log(likelihood)])

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The metrics [rounds] by name."""
        total, squares, loss = (counts @ self.columns).T
        top = self.top.measure(counts)
        return {
            "brier": ratio(squares, total),
            "log_loss": ratio(loss, total),
            **{name: top[name] for name in ("ece", MOVED, ALONG)},
        }


@dataclass(frozen=True)
class Joint:
    """The labelled cases of a sample with all their classes.

    ``index`` [cases] are their rows in the sample, ``groups`` [cases] the numbers of their groups;
    ``measures`` of each section, and the reason for each that is ``lacking``.
    """

    name: str
    index: Codes
    groups: Codes
    true: Codes
    measures: dict[str, list[Agreement | Distribution]]
    lacking: dict[str, str]
    fixed: frozenset[str]

    def measure(self, counts: Floats) -> Values:
        """Every metric [rounds] for counts [rounds, cases]."""
        return {
            (section, metric): values
            for section, measures in self.measures.items()
            for each in measures
            for metric, values in each.measure(counts).items()
        }

    def estimates(
        self, rounds: Values, by_class: Mapping[str, Estimates], confidence: float
    ) -> Estimates:
        """Every metric with its interval; means over classes from their own estimates."""
        found: Estimates = {}
        support = Support(len(self.index), len(np.unique(self.groups)))
        for key, (value,) in self.measure(ones(len(self.index))).items():
            section, metric = key
            if metric in (MOVED, ALONG):
                continue
            own = replace(support, cases=support.cases if metric == "accuracy" else np.inf)
            made = estimate(
                metric,
                float(value),
                rounds[key],
                own,
                confidence,
                self._reason(value),
                SPANS.get(metric, (0.0, 1.0)),
            )
            if metric == "ece" and not np.isnan(value):
                moves = rounds[section, MOVED], rounds[section, ALONG]
                low, high = calibration_limits(made.value, *moves, confidence)
                made = replace(made, low=low, high=high, least=0.0)
            if section in self.fixed and metric.startswith("kappa") and not np.isnan(value):
                made = replace(made, low=made.value, high=made.value, reason=FIXED)
            found[key] = made
        sizes = np.bincount(self.true, minlength=len(by_class)).astype(float)
        for section in dict.fromkeys(section for section, _ in next(iter(by_class.values()))):
            for metric, (of_class, weighted) in MEANS.items():
                parts = {name: each.get((section, of_class)) for name, each in by_class.items()}
                known = {name: part for name, part in parts.items() if part is not None}
                if known:
                    made = mean(of_class, known, 0, sizes if weighted else None)
                    found[section, metric] = made
        for section, why in self.lacking.items():
            for metric in METRICS:
                nothing = np.full(1, np.nan)
                found.setdefault((section, metric), Estimate(np.nan, np.nan, np.nan, why, nothing))
        return found

    def _reason(self, value: float) -> str | None:
        if not np.isnan(value):
            return None
        return "all cases are of one class" if len(self.index) else "no case with a known label"
