"""Which samples an epoch trains on, how often and in which order.

Balanced epochs have as many samples of each class as the largest class has: every sample at
least once, and copies of those of smaller classes. ``oversample`` spreads the copies evenly,
``hard_examples`` gives more of them to the samples that the network found hardest in the epoch
before. Where only copies are augmented, they stand for synthetic samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.errors import UserError
from triage.task import Task
from triage.training import rng
from triage.training.rng import Keys
from triage.training.settings import Balance

Integers = NDArray[np.int64]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Plan:
    """The samples of an epoch in order: row, number of the copy (0 is the sample itself)."""

    rows: Integers
    copies: Integers
    augmented: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


def in_order(count: int, augmented: bool = False) -> Plan:
    """Each sample once, in the order of the rows."""
    return Plan(np.arange(count), np.zeros(count, np.int64), np.full(count, augmented))


def plan(
    settings: Balance,
    seed: int,
    epoch: int,
    keys: Keys,
    targets: Floats,
    hardness: Floats | None,
    task: Task = Task.MULTILABEL,
) -> Plan:
    """The samples of an epoch, in random order.

    ``targets`` [samples, outputs] are 0, 1 or NaN; ``hardness`` is each sample's loss in the epoch
    before, where that is known. A pure function of the set of samples, not of their order.
    """
    counts = np.ones(len(keys), np.int64)
    if settings.method != "none":
        shares = _shares(settings, keys, hardness)
        for members, missing in _smaller_classes(targets, task):
            weights = np.where(members, shares, 0.0)
            counts += _shared_out(missing, weights / weights.sum(), seed, epoch, keys)
    rows = np.repeat(np.arange(len(keys)), counts)
    copies = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = rng.order(seed, epoch, rng.combine(keys[rows], copies))
    augmented = np.ones(len(rows), bool) if settings.augment == "all" else copies > 0
    return Plan(rows[order], copies[order], augmented[order])


def _shares(settings: Balance, keys: Keys, hardness: Floats | None) -> Floats:
    """What share of the copies each sample wants."""
    if settings.method == "hard_examples" and hardness is not None:
        return np.maximum(hardness, 1e-6)
    return np.ones(len(keys))


def _smaller_classes(targets: Floats, task: Task) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """The samples of each class but the largest, and how many copies of them fill it up."""
    if targets.shape[1] > 1 and task is not Task.MULTICLASS:
        raise UserError(
            "balancing needs one label a case, and this study has several",
            where="recipe.balance.method",
            remedy="set it to none, and recipe.loss.pos_weight to balanced",
        )
    classes = list((targets == 1).T)
    if len(classes) == 1:
        classes.append(targets[:, 0] == 0)
    sizes = [int(np.count_nonzero(each)) for each in classes]
    if not all(sizes):
        raise UserError(
            "a class has no training case, so it can't be balanced",
            where="recipe.balance.method",
            remedy="set it to none",
        )
    for members, size in zip(classes, sizes, strict=True):
        if size < max(sizes):
            yield members, max(sizes) - size


def _shared_out(total: int, shares: Floats, seed: int, epoch: int, keys: Keys) -> Integers:
    """``total`` copies by ``shares``: whole parts first, the rest by a weighted draw."""
    expected = total * shares
    copies = np.floor(expected).astype(np.int64)
    rest = expected - copies
    left = total - int(copies.sum())
    if left > 0:
        # The largest of u ** (1 / weight): a draw without replacement (Efraimidis, Spirakis 2006).
        u = rng.uniform(seed, epoch, "copies", keys)
        with np.errstate(divide="ignore"):
            race = np.where(rest > 0, np.log(np.maximum(u, 1e-300)) / rest, -np.inf)
        copies[np.lexsort((keys, -race))[:left]] += 1
    return copies
