"""All metrics of a sample: of each class, their mean (macro), and of all pairs at once (micro)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from triage.evaluation import multiclass
from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.calibration import Reliability
from triage.evaluation.choices import Choices
from triage.evaluation.intervals import (
    FIXED,
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
from triage.evaluation.multiclass import Estimates, Values
from triage.evaluation.operating import POINTS, likeliest
from triage.evaluation.samples import Bools, Floats, Sample
from triage.evaluation.settings import ARGMAX, EvaluationSettings, Point

# Sections besides the operating points, each of which has the metrics of its decisions.
SCORES, CALIBRATED, ZERO_RATE, RELIABILITY = "scores", "calibrated", "zero_rate", "reliability"
OF_SECTION: dict[str, tuple[str, ...]] = {
    SCORES: (*RANKING, *PROBABILITY),
    CALIBRATED: PROBABILITY,
    ZERO_RATE: METRICS,
    **dict.fromkeys((*POINTS, ARGMAX), DECISION),
}

HALVES = ("balanced_accuracy",)  # the mean of sensitivity and specificity
CALLED = ("recall", "specificity", *HALVES)


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
                made = replace(made, low=low, high=high, least=0.0)
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
        alike = (*CALLED, "f1") if not called.any() else CALLED if called.all() else ()
        return section == ZERO_RATE and metric in alike

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


@dataclass(frozen=True)
class Prepared:
    """A sample with what is decided and scored in each section [cases, classes]."""

    sample: Sample
    choices: Choices
    groups: npt.NDArray[np.intp]  # [cases]
    bins: int
    sections: tuple[str, ...]
    scores: dict[str, Floats]
    decided: dict[str, Bools]
    micro: bool

    @property
    def lacking(self) -> dict[str, str]:
        """Why sections can't be measured, by those that can't."""
        temperatures = [each.temperature for each in self.choices.temperatures]
        found = {}
        if CALIBRATED in self.sections and None in temperatures:
            found[CALIBRATED] = "no temperature could be fitted"
        if ZERO_RATE in self.sections and None in self.choices.priors:
            found[ZERO_RATE] = "no training case is labelled"
        return found


def prepare(
    sample: Sample,
    choices: Choices,
    bins: int,
    sections: Sequence[str] = (),
    groups: npt.NDArray[np.intp] | None = None,
) -> Prepared:
    """The decisions and scores of a sample in ``sections``, or in all.

    ``groups`` [cases] are numbers of the sample's groups, if it is one of several that are
    compared; nothing of those is pooled over classes.
    """
    prior = np.broadcast_to(np.array(choices.priors, dtype=float), sample.labels.shape)
    decided: dict[str, Bools] = {
        point: choices.decide(sample.probabilities, point) for point in choices.points
    }
    decided[ZERO_RATE] = likeliest(np.nan_to_num(prior)) if choices.exclusive else prior > 0.5
    return Prepared(
        sample,
        choices,
        codes(sample.groups) if groups is None else groups,
        bins,
        tuple(sections) or (SCORES, *choices.points, CALIBRATED, ZERO_RATE, RELIABILITY),
        {
            SCORES: sample.probabilities,
            CALIBRATED: choices.calibrated(sample.logits),
            ZERO_RATE: prior,
        },
        decided,
        micro=groups is None and not choices.exclusive,
    )


def scopes_of(prepared: Prepared) -> list[Scope]:
    """A scope for each class and, where ``micro``, one for all pairs."""
    sample = prepared.sample
    known = ~np.isnan(sample.labels)
    places = np.arange(len(sample.classes))
    masks = {name: known & (places == place) for place, name in enumerate(sample.classes)}
    if len(masks) > 1 and prepared.micro:
        masks["micro"] = known
    return [_scope(name, prepared, mask) for name, mask in masks.items()]


def _scope(name: str, prepared: Prepared, mask: Bools) -> Scope:
    index, place = np.nonzero(mask)
    labels, choices = prepared.sample.labels[mask], prepared.choices
    scores = {section: each[mask] for section, each in prepared.scores.items()}
    decided = {section: each[mask] for section, each in prepared.decided.items()}
    lacking = {}
    for section, why in prepared.lacking.items():
        own = choices.temperatures if section == CALIBRATED else choices.priors
        values = [getattr(each, "temperature", each) for each in own]
        if any(values[number] is None for number in np.unique(place)):
            lacking[section] = why
    measures: dict[str, list[Measure]] = {}
    for section in prepared.sections:
        if section in lacking:
            continue
        if section == RELIABILITY:
            measures[section] = [Reliability(labels, scores[SCORES], prepared.bins)]
            continue
        has = OF_SECTION[section]
        own_measures: list[Measure] = []
        if "roc_auc" in has:
            own_measures.append(Ranking(labels, scores[section]))
        if "recall" in has:
            own_measures.append(Decision(labels, decided[section]))
        if "brier" in has:
            own_measures.append(Probability(labels, scores[section], prepared.bins))
        measures[section] = own_measures
    groups = prepared.groups[index]
    return Scope(name, index, groups, labels, scores, decided, measures, lacking, prepared.bins)


def joint_of(prepared: Prepared, order: tuple[str, ...] = ()) -> multiclass.Joint:
    """All classes at once, where they exclude each other; ``order``: of classes that have one."""
    sample = prepared.sample
    index = np.flatnonzero(~np.isnan(sample.labels).any(axis=1))
    true = sample.labels[index].argmax(axis=1)
    places = np.array([order.index(name) for name in sample.classes]) if order else None
    measures: dict[str, list[multiclass.Agreement | multiclass.Distribution]] = {}
    for section in prepared.sections:
        if section in prepared.lacking:
            continue
        own: list[multiclass.Agreement | multiclass.Distribution] = []
        if section in prepared.decided:
            called = prepared.decided[section][index].argmax(axis=1)
            own.append(multiclass.Agreement(true, called, len(sample.classes), places))
        if section in prepared.scores:
            scores = prepared.scores[section][index]
            own.append(multiclass.Distribution(true, scores, prepared.bins))
        if own:
            measures[section] = own
    fixed = frozenset({ZERO_RATE})
    groups = prepared.groups[index]
    return multiclass.Joint("all", index, groups, true, measures, prepared.lacking, fixed)


def replicate(
    scopes: Sequence[Scope | multiclass.Joint], groups: int, rounds: int, seed: int
) -> list[Values]:
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


@dataclass(frozen=True)
class Measured:
    """The estimates of a sample: ``overall`` (of its class, or over its classes), and of each
    scope by name."""

    prepared: Prepared
    scopes: dict[str, Scope]
    joint: multiclass.Joint | None
    by_scope: dict[str, Estimates]
    overall: Estimates


def measure(prepared: Prepared, groups: int, settings: EvaluationSettings) -> Measured:
    """Every metric of a sample with its interval, from resamples of so many groups."""
    scopes = {scope.name: scope for scope in scopes_of(prepared)}
    joint = joint_of(prepared, settings.order) if prepared.choices.exclusive else None
    every: list[Scope | multiclass.Joint] = [*scopes.values(), *([joint] if joint else [])]
    resamples = replicate(every, groups, settings.replicates, settings.seed)
    found = {
        name: scope.estimates(drawn, settings.confidence)
        for (name, scope), drawn in zip(scopes.items(), resamples, strict=False)
    }
    by_class = {name: found[name] for name in prepared.sample.classes}
    if joint:
        overall = joint.estimates(resamples[-1], by_class, settings.confidence)
    else:
        overall = _macro(by_class)
    return Measured(prepared, scopes, joint, found, overall)


def _macro(by_class: Mapping[str, Estimates]) -> Estimates:
    """The mean over classes of each metric, from those by class."""
    first = next(iter(by_class.values()))
    return {
        key: mean(key[1], {name: found[key] for name, found in by_class.items()}, 0)
        for key in first
        if key[0] != RELIABILITY
    }


def main_sections(point: Point, ordinal: bool = False, over_classes: bool = True) -> dict[str, str]:
    """The section of each main metric: those of decisions are taken at the operating ``point``.

    Classes that exclude each other have other metrics ``over_classes`` than each by itself.
    """
    if point != ARGMAX or not over_classes:
        return {metric: point if metric in DECISION else SCORES for metric in METRICS}
    return {
        metric: point if metric in multiclass.DECISION else SCORES
        for metric in multiclass.METRICS
        if ordinal or metric != "kappa_quadratic"
    }
