"""Calibration: one temperature fitted on validation logits, and the reliability curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar

from triage.evaluation.metrics import in_bins, reason
from triage.task import Task

Floats = npt.NDArray[np.float64]

COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Temperature:
    """Logits are divided by ``temperature``; None where it could not be fitted."""

    temperature: float | None
    reason: str | None = None


def fit_temperature(labels: Floats, logits: Floats) -> Temperature:
    """The temperature with the least log loss (Guo et al., ICML 2017), between COLDEST and HOTTEST.

    ``labels`` and ``logits`` [cases] are those of the validation part.
    """
    if why := reason("roc_auc", labels):
        return Temperature(None, f"{why} in the validation part")

    def slope(inverse: float) -> float:
        """Derivative of the log loss by 1 / temperature; it only ever rises."""
        probabilities = Task.BINARY.probabilities(logits * inverse)
        return float(np.mean(logits * (probabilities - labels)))

    low, high = 1 / HOTTEST, 1 / COLDEST
    if slope(high) <= 0:
        return Temperature(COLDEST, "at the lower limit: the classes are kept apart without fail")
    if slope(low) >= 0:
        return Temperature(HOTTEST, "at the upper limit: the logits tell nothing")
    return Temperature(1 / brentq(slope, low, high))


def fit_shared_temperature(labels: Floats, logits: Floats) -> Temperature:
    """The one temperature of classes that exclude each other, as ``fit_temperature`` fits it.

    ``labels`` (one 1 a case) and ``logits`` are [cases, classes].
    """
    if (labels.sum(axis=0) > 0).sum() < 2:
        return Temperature(None, "fewer than two classes have a case in the validation part")

    def loss(logarithm: float) -> float:
        scaled = Task.MULTICLASS.logits(logits / np.exp(logarithm))
        return -float(np.mean((scaled * labels).sum(axis=1)))

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    reached = float(np.exp(found.x))
    if reached < COLDEST * 1.001:
        return Temperature(COLDEST, "at the lower limit: the classes are kept apart without fail")
    if reached > HOTTEST / 1.001:
        return Temperature(HOTTEST, "at the upper limit: the logits tell nothing")
    return Temperature(reached)


class Reliability:
    """The reliability curve: how often cases are positive, by their predicted probability.

    ``cases`` and ``mean`` [bins] are the count and the mean probability in bins of equal width.
    """

    def __init__(self, labels: Floats, probabilities: Floats, bins: int) -> None:
        members = in_bins(probabilities, bins)
        self.cases = members.sum(axis=0)
        self.mean = _share(probabilities @ members, self.cases)
        self.columns = np.concatenate([members * labels[:, None], members], axis=1)

    def measure(self, counts: Floats) -> dict[str, Floats]:
        """The share of positives [rounds] in each bin, by its number; NaN where it is empty."""
        positives, cases = np.split((counts @ self.columns).T, 2)
        return {str(number): each for number, each in enumerate(_share(positives, cases))}


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
