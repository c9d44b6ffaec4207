"""The mean of several models' probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from triage.errors import UserError
from triage.evaluation.samples import COLUMNS
from triage.task import Task

# A mean of exactly 0 or 1 gets the logit of a probability this far inside.
SMALLEST = 1e-12


def average(members: Mapping[str, pd.DataFrame], task: Task = Task.BINARY) -> pd.DataFrame:
    """Predictions (COLUMNS) whose probability is the mean of the members', by file name.

    The logit is that of the mean probability. No predictions where a member has none, as on
    validation cases that it was trained on. Raises UserError where a member predicts other cases
    or classes, or has other labels, than the first.
    """
    tables = {
        name: table.sort_values(["case", "class"], ignore_index=True)
        for name, table in members.items()
    }
    first, *others = tables
    for table in tables.values():
        if table.empty:
            return table[COLUMNS]
    mean = tables[first][COLUMNS].copy()
    for name in others:
        for column in ("case", "class", "label"):
            if tables[name][column].tolist() != mean[column].tolist():
                raise UserError(
                    f"its column {column} is not that of {first}",
                    where=name,
                    remedy="members of an ensemble must share fold and partition",
                )
    probabilities = [table["probability"].astype(float) for table in tables.values()]
    mean["probability"] = np.mean(probabilities, axis=0)
    inside = mean["probability"].clip(SMALLEST, 1 - SMALLEST)
    others_are_negative = task is not Task.MULTICLASS
    mean["logit"] = np.log(inside) - (np.log1p(-inside) if others_are_negative else 0)
    return mean
