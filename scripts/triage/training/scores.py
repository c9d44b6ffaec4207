"""What is watched during training: accuracy, area under the ROC curve and F1, in plain numpy.

Reported results come from the evaluation part; these only choose the epoch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def scores(logits: Floats, targets: Floats) -> dict[str, float]:
    """accuracy, auc and f1 of ``logits`` [cases, outputs] against 0, 1 or NaN for unknown.

    With several outputs, accuracy is over all known labels, auc and f1 are means over the outputs
    for which they are defined. NaN where nothing is.
    """
    known = ~np.isnan(targets)
    if not known.any() or np.isnan(logits).any():
        return {"accuracy": np.nan, "auc": np.nan, "f1": np.nan}
    right = (logits > 0) == (targets > 0.5)
    columns = [
        (logits[known[:, i], i], targets[known[:, i], i] > 0.5) for i in range(logits.shape[1])
    ]
    return {
        "accuracy": float(right[known].mean()),
        "auc": _mean([_auc(*column) for column in columns]),
        "f1": _mean([_f1(*column) for column in columns]),
    }


def _auc(logits: Floats, positive: NDArray[np.bool_]) -> float:
    """The share of pairs of a positive and a negative that are in the right order."""
    pairs = int(positive.sum()) * int((~positive).sum())
    if pairs == 0:
        return np.nan
    negatives = np.sort(logits[~positive])
    below = np.searchsorted(negatives, logits[positive], "left").sum(dtype=np.int64)
    not_above = np.searchsorted(negatives, logits[positive], "right").sum(dtype=np.int64)
    return float(below + not_above) / (2 * pairs)


def _f1(logits: Floats, positive: NDArray[np.bool_]) -> float:
    called = logits > 0
    total = int(called.sum() + positive.sum())
    return 2 * int((called & positive).sum()) / total if total else np.nan


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan
