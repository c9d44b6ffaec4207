"""Operating points: thresholds chosen on the validation part and only applied to the test part.

A case is called positive where its probability is above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from triage.evaluation.metrics import reason
from triage.evaluation.samples import Sample
from triage.evaluation.settings import Point

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# The study has none, or the run was trained on it: thresholds chosen there would flatter it.
NO_VALIDATION = "no validation case that was not trained on"

POINTS: tuple[Point, ...] = ("half", "youden", "sensitivity")


@dataclass(frozen=True)
class Threshold:
    """A threshold of one class; where it could not be chosen it is 0.5, and ``reason`` says why."""

    threshold: float
    chosen_on: Literal["fixed", "val"]
    reason: str | None = None


def choose(
    val: Sample | None, classes: tuple[str, ...], sensitivity: float
) -> dict[Point, list[Threshold]]:
    """Each operating point's thresholds, one a class.

    ``half``: 0.5. ``youden``: the largest sum of sensitivity and specificity on validation (Youden,
    Cancer 3, 1950, p. 32); of equals the lowest threshold, which misses fewer positives.
    ``sensitivity``: the highest threshold whose sensitivity on validation is at least that given.
    """
    points: dict[Point, list[Threshold]] = {point: [] for point in POINTS}
    for column in range(len(classes)):
        points["half"].append(Threshold(0.5, "fixed"))
        labels, probabilities = _known(val, column)
        why = NO_VALIDATION if val is None else reason("roc_auc", labels)
        if why:
            fallback = Threshold(0.5, "fixed", f"{why}: 0.5 instead")
            points["youden"].append(fallback)
            points["sensitivity"].append(fallback)
            continue
        thresholds, recall, specificity = rates(labels, probabilities)
        best = int(np.argmax(np.round(recall + specificity, 12)))
        enough = int(np.flatnonzero(recall >= sensitivity - 1e-12)[-1])
        points["youden"].append(Threshold(float(thresholds[best]), "val"))
        points["sensitivity"].append(Threshold(float(thresholds[enough]), "val"))
    return points


def rates(labels: Floats, probabilities: Floats) -> tuple[Floats, Floats, Floats]:
    """Every threshold that decides differently, ascending, with its sensitivity and specificity.

    Thresholds lie halfway between neighbouring probabilities; the first is below them all.
    """
    values, index = np.unique(probabilities, return_inverse=True)
    halfway = values[:-1] + np.diff(values) / 2
    # Of two neighbours with no number in between, the lower one separates them too.
    between = np.where(halfway < values[1:], halfway, values[:-1])
    lowest = values[0] / 2 if values[0] > 0 else -1.0
    positives = np.bincount(index, labels == 1, minlength=len(values))
    negatives = np.bincount(index, labels == 0, minlength=len(values))
    missed = np.append(0, np.cumsum(positives)[:-1])
    spared = np.append(0, np.cumsum(negatives)[:-1])
    return (
        np.append(lowest, between),
        1 - missed / positives.sum(),
        spared / negatives.sum(),
    )


def decide(probabilities: Floats, thresholds: list[Threshold]) -> Bools:
    """Decisions [cases, classes] at the thresholds, one a class."""
    return probabilities > np.array([each.threshold for each in thresholds])


def likeliest(probabilities: Floats) -> Bools:
    """Decisions [cases, classes] for the likeliest class, the first of equals."""
    called: Bools = probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])
    return called


def _known(val: Sample | None, column: int) -> tuple[Floats, Floats]:
    if val is None:
        return np.zeros(0), np.zeros(0)
    known = ~np.isnan(val.labels[:, column])
    return val.labels[known, column], val.probabilities[known, column]
