"""What is watched during training: accuracy, area under the ROC curve and F1, in plain numpy.

Reported results come from the evaluation part; these only choose the epoch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triage.task import Task

Floats = NDArray[np.floating]


def scores(logits: Floats, targets: Floats, task: Task = Task.MULTILABEL) -> dict[str, float]:
    """accuracy, auc and f1 of ``logits`` [cases, outputs] against 0, 1 or NaN for unknown.

    With several outputs, accuracy is over all known labels, or over cases where classes exclude
    each other and the most probable one is called. auc and f1 are means over the outputs for which
    they are defined, each against the rest. NaN where nothing is.
    """
    if task is Task.MULTICLASS:
        return _exclusive(logits, targets)
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
        "f1": _mean([_f1(column > 0, positive) for column, positive in columns]),
    }


def _exclusive(logits: Floats, targets: Floats) -> dict[str, float]:
    known = ~np.isnan(targets).any(axis=1)
    if not known.any() or np.isnan(logits).any():
        return {"accuracy": np.nan, "auc": np.nan, "f1": np.nan}
    found = Task.MULTICLASS.logits(logits[known].astype(float))
    called, true = found.argmax(axis=1), targets[known].argmax(axis=1)
    classes = range(logits.shape[1])
    return {
        "accuracy": float((called == true).mean()),
        "auc": _mean([_auc(found[:, each], true == each) for each in classes]),
        "f1": _mean([_f1(called == each, true == each) for each in classes]),
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


def _f1(called: NDArray[np.bool_], positive: NDArray[np.bool_]) -> float:
    total = int(called.sum() + positive.sum())
    return 2 * int((called & positive).sum()) / total if total else np.nan


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan
