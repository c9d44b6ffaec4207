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


def average(
    members: Mapping[str, pd.DataFrame], task: Task = Task.BINARY, out_of_fold: bool = False
) -> pd.DataFrame:
    """Predictions (COLUMNS) whose probability is the mean of the members', by file name.

    The logit is that of the mean probability. No predictions where a member has none, as on
    validation cases that it was trained on. ``out_of_fold``: members may have different cases, each
    of which gets the mean of those that have it. Raises UserError where a member otherwise predicts
    other cases or classes than the first, or has other labels.
    """
    tables = {
        name: table.sort_values(["case", "class"], ignore_index=True)
        for name, table in members.items()
    }
    for table in tables.values():
        if table.empty:
            return table[COLUMNS]
    mean = _by_case(tables) if out_of_fold else _in_step(tables)
    inside = mean["probability"].clip(SMALLEST, 1 - SMALLEST)
    others_are_negative = task is not Task.MULTICLASS
    mean["logit"] = np.log(inside) - (np.log1p(-inside) if others_are_negative else 0)
    return mean


def _in_step(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The mean of sorted tables that all have the same cases."""
    first, *others = tables
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
    return mean


def _by_case(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The mean of each case over the tables that have it."""
    joined = pd.concat(tables.values(), ignore_index=True)
    joined["probability"] = joined["probability"].astype(float)
    by_case = joined.groupby(["case", "class"])
    differs = by_case["label"].nunique(dropna=False) > 1
    if differs.any():
        raise UserError(
            f"{differs.index[differs][0][0]} has other labels in one than in another",
            where=", ".join(tables),
            remedy="remake them",
        )
    mean = by_case.agg({"label": "first", "probability": "mean"}).reset_index()
    return mean.assign(logit=0.0)[COLUMNS]
