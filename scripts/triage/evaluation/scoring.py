"""All metrics of a sample: of each class, their mean (macro), and of all pairs at once (micro)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.calibration import Reliability, sigmoid
from triage.evaluation.choices import Choices
from triage.evaluation.intervals import (
    FIXED,
    Estimate,
    Support,
    calibration_limits,
    combined,
    estimate,
    mean,
    ranking_cases,
)
from triage.evaluation.metrics import (
    ALONG,
    DECISION,
    METRICS,
    MOVED,
    PROBABILITY,
    RANKING,
    Decision,
    Measure,
    Probability,
    Ranking,
    columns,
    in_bins,
    ones,
    reason,
)
from triage.evaluation.operating import POINTS, Point, decide
from triage.evaluation.samples import Bools, Floats, Sample

# Sections besides the operating points, each of which has the metrics of its decisions.
SCORES, CALIBRATED, ZERO_RATE, RELIABILITY = "scores", "calibrated", "zero_rate", "reliability"
SECTIONS = (SCORES, *POINTS, CALIBRATED, ZERO_RATE, RELIABILITY)
OF_SECTION: dict[str, tuple[str, ...]] = {
    SCORES: (*RANKING, *PROBABILITY),
    CALIBRATED: PROBABILITY,
    ZERO_RATE: METRICS,
    **dict.fromkeys(POINTS, DECISION),
}

HALVES = ("balanced_accuracy",)  # the mean of sensitivity and specificity
CALLED = ("recall", "specificity", *HALVES)

Key = tuple[str, str]  # section and metric
Values = dict[Key, Floats]  # [rounds]
Estimates = dict[Key, Estimate]


@dataclass(frozen=True)
class Scope:
    """Pairs of case and class that are measured as one: those of a class, or all of them.

    ``index`` [pairs] is the row of each pair's case in the sample and ``groups`` [pairs] the number
    of its group; unknown labels are left out. ``scores`` and ``decided`` are those of each section;
    ``lacking`` has the reason for each section that can't be measured.
    """

    name: str
    index: npt.NDArray[np.intp]
    groups: npt.NDArray[np.intp]
    labels: Floats
    scores: dict[str, Floats]
    decided: dict[str, Bools]
    measures: dict[str, list[Measure]]
    lacking: dict[str, str]
    bins: int

    def measure(self, counts: Floats) -> Values:
        """Every metric [rounds] for counts [rounds, pairs]; NaN where a section is lacking."""
        found = {
            (section, metric): np.full(len(counts), np.nan)
            for section in self.lacking
            for metric in OF_SECTION[section]
        }
        for section, measures in self.measures.items():
            for each in measures:
                found |= {(section, metric): v for metric, v in each.measure(counts).items()}
        return found

    def reason(self, section: str, metric: str) -> str | None:
        """Why a metric is undefined here, or None."""
        return self.lacking.get(section) or reason(metric, self.labels, self.decided.get(section))

    def estimates(self, rounds: Values, confidence: float) -> Estimates:
        """Every metric with its interval, from ``rounds``: those of resamples."""
        found: Estimates = {}
        for key, (value,) in self.measure(ones(len(self.index))).items():
            section, metric = key
            if metric in (MOVED, ALONG):
                continue
            support, why = self._support(section, metric, value), self.reason(*key)
            made = estimate(metric, float(value), rounds[key], support, confidence, why)
            if np.isnan(value):
                pass
            elif self._is_fixed(section, metric):
                made = replace(made, low=made.value, high=made.value, reason=FIXED)
            elif metric == "ece":
                moves = rounds[section, MOVED], rounds[section, ALONG]
                low, high = calibration_limits(made.value, *moves, confidence)
                made = replace(made, low=low, high=high)
            found[key] = made
        for section, metric in found:
            both = [found[section, each] for each in ("recall", "specificity") if metric in HALVES]
            if both and not self._is_fixed(section, metric):
                _, low, high = combined(both, (0.5, 0.5), 0)
                found[section, metric] = replace(found[section, metric], low=low, high=high)
        return found

    def _is_fixed(self, section: str, metric: str) -> bool:
        """Whether other cases would change nothing, since all are scored or called alike."""
        if metric == "roc_auc":
            return bool(np.ptp(self.scores[section]) == 0)
        called = self.decided[ZERO_RATE]
        return section == ZERO_RATE and metric in CALLED and called.all() == called.any()

    def _support(self, section: str, metric: str, value: float) -> Support:
        """What a metric stands on; only shares of cases can't vary less than independent ones."""
        positive = self.labels == 1
        if metric == "roc_auc":
            cases, groups = (
                [len(np.unique(names[among])) for among in (positive, ~positive)]
                for names in (np.arange(len(positive)), self.groups)
            )
            return Support(ranking_cases(value, *cases), ranking_cases(value, *groups))
        among = self._among(section, metric, positive)
        most = float("inf") if metric in ("average_precision", *PROBABILITY) else float(among.sum())
        return Support(most, len(np.unique(self.groups[among])))

    def _among(self, section: str, metric: str, positive: Bools) -> Bools:
        """The pairs that a metric is a share of."""
        if section == RELIABILITY:
            return in_bins(self.scores[SCORES], self.bins)[:, int(metric)] > 0
        if metric in ("recall", "average_precision"):
            return positive
        if metric == "specificity":
            return ~positive
        if metric in ("precision", "f1"):
            return self.decided[section] | (positive & (metric == "f1"))
        return np.ones(len(positive), dtype=bool)


def scopes_of(
    sample: Sample,
    choices: Choices,
    bins: int,
    sections: Sequence[str] = SECTIONS,
    groups: npt.NDArray[np.intp] | None = None,
) -> list[Scope]:
    """A scope for each class and, where there are several, one more for all pairs ("micro").

    ``groups`` [cases] are numbers of the sample's groups, if not those of this sample alone.
    """
    number = codes(sample.groups) if groups is None else groups
    known = ~np.isnan(sample.labels)
    places = np.arange(len(sample.classes))
    masks = [(name, known & (places == place)) for place, name in enumerate(sample.classes)]
    if len(masks) > 1:
        masks.append(("micro", known))
    return [_scope(name, sample, choices, mask, bins, sections, number) for name, mask in masks]


def _scope(
    name: str,
    sample: Sample,
    choices: Choices,
    mask: Bools,
    bins: int,
    sections: Sequence[str],
    number: npt.NDArray[np.intp],
) -> Scope:
    index, place = np.nonzero(mask)
    labels, raw = sample.labels[mask], sample.probabilities[mask]
    temperature = np.array([each.temperature for each in choices.temperatures], dtype=float)[place]
    prior = np.array(choices.priors, dtype=float)[place]
    cooled = sigmoid(sample.logits[mask] / np.nan_to_num(temperature, nan=1))
    scores = {SCORES: raw, CALIBRATED: cooled, ZERO_RATE: prior}
    decided: dict[str, Bools] = {ZERO_RATE: prior > 0.5}
    for point in POINTS:
        decided[point] = decide(sample.probabilities, choices.thresholds[point])[mask]
    lacking = {}
    if np.isnan(temperature).any() and CALIBRATED in sections:
        lacking[CALIBRATED] = "no temperature could be fitted"
    if np.isnan(prior).any() and ZERO_RATE in sections:
        lacking[ZERO_RATE] = "no training case is labelled"
    measures: dict[str, list[Measure]] = {}
    for section in sections:
        if section in lacking:
            continue
        if section == RELIABILITY:
            measures[section] = [Reliability(labels, raw, bins)]
            continue
        has = OF_SECTION[section]
        own: list[Measure] = []
        if "roc_auc" in has:
            own.append(Ranking(labels, scores[section]))
        if "recall" in has:
            own.append(Decision(labels, decided[section]))
        if "brier" in has:
            own.append(Probability(labels, scores[section], bins))
        measures[section] = own
    return Scope(name, index, number[index], labels, scores, decided, measures, lacking, bins)


def replicate(scopes: Sequence[Scope], groups: int, rounds: int, seed: int) -> list[Values]:
    """Every metric [rounds] of each scope over resamples of so many groups."""
    width = max(len(scope.index) for scope in scopes)
    # The products are narrow: sharing them out over threads costs more than it gains.
    with threadpool_limits(1, "blas"):
        blocks = [
            [scope.measure(columns(counts, scope.groups)) for scope in scopes]
            for counts in group_counts(groups, rounds, seed, width)
        ]
    return [
        {key: np.concatenate([block[place][key] for block in blocks]) for key in blocks[0][place]}
        for place in range(len(scopes))
    ]


def macro(by_class: Mapping[str, Estimates]) -> Estimates:
    """The mean over classes of each metric, from those by class."""
    first = next(iter(by_class.values()))
    return {
        key: mean(key[1], {name: found[key] for name, found in by_class.items()}, 0)
        for key in first
        if key[0] != RELIABILITY
    }


def main_sections(point: Point) -> dict[str, str]:
    """The section of each main metric: those of decisions are taken at the operating ``point``."""
    return {metric: point if metric in DECISION else SCORES for metric in METRICS}
