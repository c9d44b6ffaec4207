"""Dealing of groups to folds: every stratum spread evenly, no group torn apart."""

from __future__ import annotations

import numpy as np


def assign_folds(
    members: np.ndarray, k: int, seed: int, known: np.ndarray | None = None
) -> np.ndarray:
    """The fold, 0 to ``k`` - 1, of each group, [groups].

    ``members`` [groups, strata]: how many of a group's cases are in each stratum (a case may be in
    several). ``known`` [groups]: folds that are kept as they are, -1 where a group has none yet.
    The rows have to come in a fixed order, since ``seed`` permutes them; that is all that is
    random. Large groups are dealt first, then rare strata, each group to the fold where
    its strata are rarest and, among equals, to the smallest. Groups of one case each are thereby
    spread so that folds differ by at most one, in every stratum and in size.

    It is what scikit-learn's StratifiedGroupKFold does, for cases that are in several strata too,
    and in seconds rather than minutes for 100,000 groups.
    """
    totals = members.sum(axis=0)
    weights = 1 / np.maximum(totals, 1).astype(float) ** 2
    counts = np.zeros((k, members.shape[1]))
    sizes = np.zeros(k)
    folds = np.full(len(members), -1) if known is None else known.astype(np.int64)
    for fold in range(k):
        counts[fold] = members[folds == fold].sum(axis=0)
        sizes[fold] = counts[fold].sum()
    for group in _order(members, totals, seed):
        if folds[group] >= 0:
            continue
        cost = counts @ (members[group] * weights)
        candidates = np.flatnonzero(cost <= cost.min() * (1 + 1e-9))
        fold = candidates[sizes[candidates].argmin()]
        folds[group] = fold
        counts[fold] += members[group]
        sizes[fold] += members[group].sum()
    return folds


def _order(members: np.ndarray, totals: np.ndarray, seed: int) -> np.ndarray:
    """The groups by size, the largest first, then by their rarest stratum, then at random."""
    rank = np.random.Generator(np.random.Philox(seed)).permutation(len(members))
    rarity = np.argsort(np.argsort(totals, kind="stable"), kind="stable")
    rarest = np.where(members > 0, rarity, len(totals)).min(axis=1, initial=len(totals))
    return np.lexsort((rank, rarest, -members.sum(axis=1)))
