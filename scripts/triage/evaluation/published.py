"""Published values beside ours: the same metric on the same part, each with its data's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from triage.errors import UserError
from triage.evaluation import multiclass
from triage.evaluation.arms import Run
from triage.evaluation.metrics import DECISION, METRICS
from triage.evaluation.settings import ARGMAX
from triage.files import read_table

COLUMNS = ["study", "arm", "metric", "split", "value", "sd", "data", "source", "note"]
LINK = "link"  # to the source; a table need not have this column


def read_published(path: Path) -> pd.DataFrame:
    """The published values (COLUMNS) of all studies; raises UserError naming a wrong row."""
    table = read_table(path, COLUMNS)
    for column in ("value", "sd"):
        numbers = pd.to_numeric(table[column], errors="coerce").astype(float)
        wrong = numbers.isna() & (table[column] != "")
        _refuse(table, wrong, path, f"{column} is not a number")
        table[column] = numbers
    known = list(dict.fromkeys((*METRICS, *multiclass.METRICS)))
    _refuse(table, ~table["metric"].isin(known), path, f"metric is none of {', '.join(known)}")
    if LINK not in table:
        table[LINK] = ""
    wrong = (table[LINK] != "") & ~table[LINK].str.match(r"https://[^\s\"'<>]+$")
    _refuse(table, wrong, path, "link does not begin with https://, or has a blank in it")
    _refuse(table, ~table["split"].isin(["train", "val", "test"]), path, "split is no partition")
    return table


def beside_ours(published: pd.DataFrame, study: str, runs: Sequence[Run]) -> pd.DataFrame:
    """The rows of ``published`` for a study, with ``ours`` added: the mean over the arm's runs.

    Decisions are those at 0.5, as the sources made them. NaN where the arm was not run.
    """
    rows = published[published["study"] == study]
    ours = [
        _ours(row, [run for run in runs if run.arm == row["arm"]]) for _, row in rows.iterrows()
    ]
    return rows.assign(ours=np.array(ours, dtype=float)).reset_index(drop=True)


def _ours(row: pd.Series[Any], runs: Sequence[Run]) -> float:
    metric = row["metric"]
    values = [
        run.value(
            row["split"],
            metric,
            "half" if metric in DECISION and run.metrics["operating_point"] != ARGMAX else None,
        )
        for run in runs
    ]
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _refuse(table: pd.DataFrame, wrong: pd.Series[bool], path: Path, what: str) -> None:
    if wrong.any():
        raise UserError(what, where=f"{path}, line {int(np.flatnonzero(wrong)[0]) + 2}")
