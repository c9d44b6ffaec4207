"""All metrics of a sample: of each class, their mean (macro), and of all pairs at once (micro)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.calibration import Reliability, sigmoid
from triage.evaluation.choices import Choices
from triage.evaluation.metrics import (
    DECISION,
    METRICS,
    PROBABILITY,
    UNCALLED,
    Decision,
    Measure,
    Probability,
    Ranking,
    Undefined,
    columns,
    ones,
    reason,
)
from triage.evaluation.operating import POINTS, Point, decide
from triage.evaluation.samples import Bools, Floats, Sample

# Sections besides the operating points, each of which has the metrics of its decisions.
SCORES, CALIBRATED, ZERO_RATE, RELIABILITY = "scores", "calibrated", "zero_rate", "reliability"
SECTIONS = (SCORES, *POINTS, CALIBRATED, ZERO_RATE, RELIABILITY)

Values = dict[tuple[str, str], Floats]  # [rounds] by section and metric


@dataclass(frozen=True)
class Scope:
    """Pairs of case and class that are measured as one: those of a class, or all of them.

    ``index`` [pairs] is the row of each pair's case in the sample; unknown labels are left out.
    ``lacking`` has the reason for each section that can't be measured.
    """

    name: str
    index: npt.NDArray[np.intp]
    labels: Floats
    probabilities: Floats
    decided: dict[str, Bools]
    measures: dict[str, list[Measure]]
    lacking: dict[str, str]

    def measure(self, weights: Floats) -> Values:
        """Every metric [rounds] for weights [rounds, pairs]."""
        return {
            (section, metric): values
            for section, measures in self.measures.items()
            for measure in measures
            for metric, values in measure.measure(weights).items()
        }

    def reason(self, section: str, metric: str) -> str | None:
        """Why a metric is undefined here, or None."""
        return self.lacking.get(section) or reason(metric, self.labels, self.decided.get(section))


def scopes_of(
    sample: Sample, choices: Choices, bins: int, sections: Sequence[str] = SECTIONS
) -> list[Scope]:
    """A scope for each class and, where there are several, one more for all pairs ("micro")."""
    known = ~np.isnan(sample.labels)
    places = np.arange(len(sample.classes))
    masks = [(name, known & (places == place)) for place, name in enumerate(sample.classes)]
    if len(masks) > 1:
        masks.append(("micro", known))
    return [_scope(name, sample, choices, mask, bins, sections) for name, mask in masks]


def _scope(
    name: str, sample: Sample, choices: Choices, mask: Bools, bins: int, sections: Sequence[str]
) -> Scope:
    index, place = np.nonzero(mask)
    labels, raw = sample.labels[mask], sample.probabilities[mask]
    temperature = np.array([each.temperature for each in choices.temperatures], dtype=float)[place]
    prior = np.array(choices.priors, dtype=float)[place]
    decided: dict[str, Bools] = {ZERO_RATE: prior > 0.5}
    for point in POINTS:
        decided[point] = decide(sample.probabilities, choices.thresholds[point])[mask]
    made: dict[str, Callable[[], list[Measure]]] = {
        SCORES: lambda: [Ranking(labels, raw), Probability(labels, raw, bins)],
        CALIBRATED: lambda: [Probability(labels, sigmoid(sample.logits[mask] / temperature), bins)],
        ZERO_RATE: lambda: [
            Ranking(labels, prior),
            Decision(labels, decided[ZERO_RATE]),
            Probability(labels, prior, bins),
        ],
        RELIABILITY: lambda: [Reliability(labels, raw, bins)],
    }
    for point in POINTS:
        made[point] = partial(_decisions, labels, decided[point])
    lacking = {}
    if np.isnan(temperature).any():
        lacking[CALIBRATED] = "no temperature could be fitted"
        made[CALIBRATED] = lambda: [Undefined(PROBABILITY)]
    if np.isnan(prior).any():
        lacking[ZERO_RATE] = "no training case is labelled"
        made[ZERO_RATE] = lambda: [Undefined(METRICS)]
    measures = {section: made[section]() for section in sections}
    return Scope(name, index, labels, raw, decided, measures, lacking)


def _decisions(labels: Floats, decided: Bools) -> list[Measure]:
    return [Decision(labels, decided)]


def point_values(scopes: Sequence[Scope]) -> list[Values]:
    """Every metric [1] of each scope for the sample as it is."""
    return [scope.measure(ones(len(scope.index))) for scope in scopes]


def replicate(
    scopes: Sequence[Scope], groups: npt.NDArray[np.str_], rounds: int, seed: int
) -> list[Values]:
    """Every metric [rounds] of each scope over resamples of the ``groups`` [cases]."""
    group = codes(groups)
    width = max(len(scope.index) for scope in scopes)
    # The products are narrow: sharing them out over threads costs more than it gains.
    with threadpool_limits(1, "blas"):
        blocks = [
            [scope.measure(columns(counts, group[scope.index])) for scope in scopes]
            for counts in group_counts(int(group.max()) + 1, rounds, seed, width)
        ]
    return [
        {key: np.concatenate([block[place][key] for block in blocks]) for key in blocks[0][place]}
        for place in range(len(scopes))
    ]


class Macro:
    """Means over the classes ``scopes`` of a sample, whose own values are ``points`` [1]."""

    def __init__(self, scopes: Sequence[Scope], points: Sequence[Values]) -> None:
        keys = [key for key in points[0] if key[0] != RELIABILITY]
        self.names = [scope.name for scope in scopes]
        self.points = {key: [float(point[key][0]) for point in points] for key in keys}
        self.reasons = {key: [scope.reason(*key) for scope in scopes] for key in keys}

    def means(self, rounds: Sequence[Values]) -> Values:
        """Each metric [rounds] from that of the classes."""
        return {
            key: mean_of_defined(points, [each[key] for each in rounds], self.reasons[key])
            for key, points in self.points.items()
        }

    def reason(self, section: str, metric: str) -> str | None:
        """Why a mean is undefined, or which classes it had to leave out."""
        reasons = dict(zip(self.names, self.reasons[section, metric], strict=True))
        uncalled = [name for name, why in reasons.items() if why == UNCALLED]
        if uncalled:
            return f"no case is called {' or '.join(uncalled)}"
        left_out = [name for name, why in reasons.items() if why]
        return f"undefined for {', '.join(left_out)}" if left_out else None


def mean_of_defined(
    points: Sequence[float], rounds: Sequence[Floats], reasons: Sequence[str | None]
) -> Floats:
    """The mean [rounds] of a metric over classes or runs, one and the same for every model.

    Left out are those that no model could be measured on. Where a model has no value because it
    calls no case positive, the mean has none: that of the others would say something else. A
    resample in which one is undefined tells how far the others are from their ``points``.
    """
    kept = [i for i, why in enumerate(reasons) if why is None]
    if UNCALLED in reasons or not kept:
        return np.full_like(rounds[0], np.nan)
    own = np.array([points[i] for i in kept])
    deviations = np.stack([rounds[i] for i in kept]) - own[:, None]
    defined = ~np.isnan(deviations)
    total = np.where(defined, deviations, 0).sum(axis=0)
    count = defined.sum(axis=0)
    return own.mean() + np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def main_sections(point: Point) -> dict[str, str]:
    """The section of each main metric: those of decisions are taken at the operating ``point``."""
    return {metric: point if metric in DECISION else SCORES for metric in METRICS}
