"""Paired comparison of arms on the same cases, corrected for the number of comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from triage.evaluation.arms import Arm
from triage.evaluation.bootstrap import codes
from triage.evaluation.intervals import SAME, combined
from triage.evaluation.samples import Floats, Sample

NAN = float("nan")


@dataclass(frozen=True)
class Comparison:
    """How far ``arm`` is above ``reference`` in ``metric``, with interval and p values.

    ``p`` is two-sided; ``p_holm`` is corrected for the arms compared with the reference.
    """

    reference: str
    arm: str
    metric: str
    test: str
    difference: float
    low: float = NAN
    high: float = NAN
    p: float = NAN
    p_holm: float = NAN
    reason: str | None = None


def delong(
    labels: Floats, scores: Floats, groups: npt.NDArray[np.str_] | None = None
) -> tuple[Floats, Floats]:
    """ROC AUCs [curves] and their covariance [curves, curves].

    ``labels`` [cases] are 0 or 1, ``scores`` [curves, cases]. Variance after DeLong et al.
    (Biometrics 44, 1988, p. 837), computed from midranks (Sun and Xu, IEEE Signal Processing
    Letters 21, 2014, p. 1389). Where ``groups`` [cases] hold several cases each, structural
    components are summed by group (Obuchowski, Biometrics 53, 1997, p. 567); with one case a group
    that is DeLong's. NaN where fewer than two groups have a positive, or a negative.
    """
    from scipy.stats import rankdata  # takes longer to import than all else of this step

    group = codes(groups) if groups is not None else np.arange(len(labels))
    positive = labels == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return np.full(len(scores), NAN), np.full((len(scores), len(scores)), NAN)
    every = rankdata(scores, axis=1)
    above = (every[:, positive] - rankdata(scores[:, positive], axis=1)) / n
    below = 1 - (every[:, ~positive] - rankdata(scores[:, ~positive], axis=1)) / m
    auc = above.mean(axis=1)
    x = _by_group(above - auc[:, None], group[positive], int(group.max()) + 1) / m
    y = _by_group(below - auc[:, None], group[~positive], int(group.max()) + 1) / n
    cross = x @ y.T
    return auc, (
        x @ x.T * _inflation(group[positive])
        + y @ y.T * _inflation(group[~positive])
        + (cross + cross.T) * _inflation(group)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm, Scand. J. Statistics 6, 1979, p. 65).

    NaN stays NaN and does not count.
    """
    p = np.array(p_values, dtype=float)
    order = np.argsort(p)[: int((~np.isnan(p)).sum())]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected = np.full(len(p), NAN)
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected.tolist()


def compare_arms(arms: Sequence[Arm], reference: str, confidence: float) -> list[Comparison]:
    """Every arm against the arm named ``reference``, on every metric.

    ROC AUC of a binary study is compared by DeLong's test on the mean over an arm's runs, with
    Student's t for the groups of the scarcer class, as its variance is too small for few; all else
    by the bootstrap of the difference (Efron and Tibshirani, 1993, ch. 16), whose p value is twice
    the share of resamples on the other side of 0, and no less than what the interval tells, which
    has few cases in mind. Each metric is corrected for the arms compared.
    """
    (base,) = [arm for arm in arms if arm.name == reference]
    others = [arm for arm in arms if arm.name != reference]
    found = []
    for metric in base.means:
        made = [_compare(arm, base, metric, confidence) for arm in others]
        corrected = holm([each.p for each in made])
        found += [replace(each, p_holm=p) for each, p in zip(made, corrected, strict=True)]
    return found


def _compare(arm: Arm, base: Arm, metric: str, confidence: float) -> Comparison:
    own, other = arm.means[metric], base.means[metric]
    difference = own.value - other.value
    start = Comparison(base.name, arm.name, metric, "bootstrap", difference)
    if _cases(arm) != _cases(base):
        return replace(start, reason="the arms are not measured on the same cases")
    if math.isnan(difference):
        return replace(start, reason="undefined for one of the arms")
    if metric == "roc_auc" and arm.classes == 1:
        return _delong_test(start, arm, base, confidence)
    _, low, high = combined((own, other), (1, -1), 0)
    defined = own.replicates - other.replicates
    defined = defined[~np.isnan(defined)]
    # Resampling shifts some metrics, and not by as much in both: only their spread counts.
    defined += difference - defined.mean() if len(defined) else 0
    fewer = min((defined <= 0).sum(), (defined >= 0).sum())
    p = min(1.0, 2 * (1 + int(fewer)) / (len(defined) + 1))
    found = replace(start, low=low, high=high)
    return replace(found, p=max(p, _p_of_interval(found, confidence)))


def _delong_test(start: Comparison, arm: Arm, base: Arm, confidence: float) -> Comparison:
    variance = _delong_variance(arm, base)
    found = replace(start, test="DeLong")
    if variance > SAME:
        error, freedom = math.sqrt(variance), _freedom(arm)
        reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
        low, high = found.difference - reach, found.difference + reach
        p = 2 * float(stdtr(freedom, -abs(found.difference) / error))
        return replace(found, low=low, high=high, p=p)
    # Two rankings without a mistake, or with the same ones, have no variance though others would.
    _, low, high = combined((arm.means["roc_auc"], base.means["roc_auc"]), (1, -1), 0)
    why = "too few groups of a class for a variance"
    if variance == variance:
        why = "no variance: the interval is that of the arms' own"
    found = replace(found, low=low, high=high, reason=why)
    return replace(found, p=_p_of_interval(found, confidence))


def _p_of_interval(found: Comparison, confidence: float) -> float:
    """The p value at which the interval, if it were narrower, would just end at 0."""
    reach = found.difference - found.low if found.difference > 0 else found.high - found.difference
    error = reach / NormalDist().inv_cdf((1 + confidence) / 2)
    return _two_sided(found.difference / error) if error > 0 else float(found.difference == 0)


def _delong_variance(arm: Arm, base: Arm) -> float:
    """Runs on the same cases are curves of one covariance; sets of cases are independent."""
    sets: dict[bytes, list[tuple[Sample, float]]] = {}
    for each, sign in ((arm, 1), (base, -1)):
        for sample in each.samples:
            sets.setdefault(sample.cases.tobytes(), []).append((sample, sign / len(each.samples)))
    variance = 0.0
    for curves in sets.values():
        first = curves[0][0]
        known = ~np.isnan(first.labels[:, 0])
        scores = np.stack([sample.probabilities[known, 0] for sample, _ in curves])
        _, covariance = delong(first.labels[known, 0], scores, first.groups[known])
        contrast = np.array([share for _, share in curves])
        variance += float(contrast @ covariance @ contrast)
    return variance


def _freedom(arm: Arm) -> float:
    """The degrees of freedom of a variance that the groups of the scarcer class tell."""
    freedom: dict[bytes, int] = {}
    for sample in arm.samples:
        labels = sample.labels[:, 0]
        groups = (len(np.unique(sample.groups[labels == value])) for value in (0, 1))
        freedom[sample.cases.tobytes()] = min(groups) - 1
    return max(1.0, sum(freedom.values()))


def _two_sided(deviations: float) -> float:
    return math.erfc(abs(deviations) / math.sqrt(2))


def _cases(arm: Arm) -> set[bytes]:
    return {sample.cases.tobytes() for sample in arm.samples}


def _by_group(components: Floats, group: npt.NDArray[np.intp], groups: int) -> Floats:
    return np.stack([np.bincount(group, each, minlength=groups) for each in components])


def _inflation(group: npt.NDArray[np.intp]) -> float:
    """Makes a sum of squares over groups a variance of their mean without bias."""
    count = len(np.unique(group))
    return count / (count - 1) if count > 1 else NAN
