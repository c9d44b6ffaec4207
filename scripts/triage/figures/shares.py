"""Shares of cases with their intervals."""

from __future__ import annotations

import numpy as np

from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.intervals import share_limits
from triage.evaluation.samples import Bools, Sample
from triage.figures.settings import FigureSettings

Share = tuple[float, float, float]  # with the ends of its interval


def share(sample: Sample, wrong: Bools, among: Bools, settings: FigureSettings) -> Share:
    """The share of ``wrong`` cases among some, with the interval that metrics have."""
    code = codes(sample.groups)
    groups = int(code.max()) + 1
    totals, hits = (np.bincount(code, each, groups) for each in (among, wrong & among))
    drawn = []
    for counts in group_counts(groups, settings.replicates, settings.seed):
        whole = counts @ totals
        drawn.append((counts @ hits)[whole > 0] / whole[whole > 0])
    value = float(hits.sum() / totals.sum())
    variance, told = np.var(np.concatenate(drawn)), (totals > 0).sum()
    low, high = share_limits(value, variance, totals.sum(), told, settings.confidence)
    return value, float(low), float(high)
