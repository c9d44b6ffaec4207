"""Shares of cases with their intervals."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.intervals import estimate
from triage.evaluation.samples import Bools, Floats, Sample
from triage.figures.settings import FigureSettings

Share = tuple[float, float, float]  # with the ends of its interval


def wilson(share: Floats, count: Floats, confidence: float) -> tuple[Floats, Floats]:
    """The interval of shares of ``count`` draws (Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = share + z**2 / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    scale = 1 + z**2 / count
    low, high = (middle - reach) / scale, (middle + reach) / scale
    return np.maximum(low, 0), np.minimum(high, 1)


def of_groups(sample: Sample, wrong: Bools, among: Bools, settings: FigureSettings) -> Share:
    """The share of ``wrong`` cases among some, with the interval that metrics have.

    That is one of resamples of the groups of all cases. Where they all agree it is Wilson's, for as
    many draws as there are groups: the cases of a group may be wrong together.
    """
    code = codes(sample.groups)
    count = int(code.max()) + 1
    totals, hits = (np.bincount(code, weights=mask, minlength=count) for mask in (among, wrong))
    share = float(wrong.sum() / among.sum())
    drawn = [
        _ratio(counts @ hits, counts @ totals)
        for counts in group_counts(count, settings.replicates, settings.seed)
    ]
    found = estimate("share", share, np.concatenate(drawn), settings.confidence)
    if np.isnan(found.low):
        return _wilson(share, int((totals > 0).sum()), settings.confidence)
    return share, found.low, found.high


def of_cases(sample: Sample, wrong: Bools, among: Bools, settings: FigureSettings) -> Share:
    """The same with Wilson's interval where no two cases are of a group."""
    if len(np.unique(sample.groups)) < len(sample.groups):
        return of_groups(sample, wrong, among, settings)
    return _wilson(float(wrong.sum() / among.sum()), int(among.sum()), settings.confidence)


def _wilson(share: float, count: int, confidence: float) -> Share:
    low, high = wilson(np.array(share), np.array(count), confidence)
    return share, float(low), float(high)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
