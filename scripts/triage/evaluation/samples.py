"""Predictions as arrays: what the evaluation of one run on one partition works with."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from triage.errors import UserError
from triage.files import read_table

LARGEST = np.finfo(np.float64).max
COLUMNS = ["case", "class", "label", "logit", "probability"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """The predictions of one run for the cases of one partition, sorted by case.

    ``cases`` and ``groups`` [cases]; ``labels`` (0, 1 or NaN for unknown), ``logits`` and
    ``probabilities`` [cases, classes]. A binary study has one class, the positive one.
    """

    cases: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    classes: tuple[str, ...]
    labels: Floats
    logits: Floats
    probabilities: Floats

    def subset(self, cases: Bools) -> Sample:
        """The same for some of the cases: ``cases`` [cases] marks those to keep."""
        names = ("cases", "groups", "labels", "logits", "probabilities")
        return dataclasses.replace(self, **{name: getattr(self, name)[cases] for name in names})


def read_sample(path: Path, split: pd.DataFrame) -> Sample | None:
    """The sample of a predictions file; None where it has no rows."""
    return sample_of(read_table(path, COLUMNS, step="predict"), split, str(path))


def sample_of(
    predictions: pd.DataFrame | None, split: pd.DataFrame, where: str = "predictions"
) -> Sample | None:
    """Predictions (COLUMNS, a row a case and class) and the groups of ``split`` as a Sample.

    None where there are no predictions. Raises UserError where a case is listed twice, misses a
    class or a group, or where a number is none or out of range; ``where`` names the file.
    """
    if predictions is None or predictions.empty:
        return None
    table = predictions.assign(**{"case": predictions["case"].astype(str)})
    doubled = table[table.duplicated(["case", "class"])]
    if len(doubled):
        raise UserError("predicted twice", where=_cases(where, doubled), remedy="keep one row")
    for column in ("label", "logit", "probability"):
        table[column] = _numbers(table, column, where)
    wide = table.pivot(index="case", columns="class", values=["label", "logit", "probability"])
    cases = wide.index.to_numpy(dtype=str)
    sample = Sample(
        cases,
        _groups(cases, split, where),
        tuple(map(str, wide["label"].columns)),
        *(wide[column].to_numpy(dtype=float) for column in ("label", "logit", "probability")),
    )
    if np.isnan(sample.probabilities).any():
        lacking = cases[np.isnan(sample.probabilities).any(axis=1)]
        raise UserError("not every class is predicted", where=f"{where}: case {lacking[0]}")
    return sample


def _numbers(table: pd.DataFrame, column: str, where: str) -> pd.Series:
    numbers = pd.to_numeric(table[column], errors="coerce").astype(float)
    if column == "label":
        blank = table[column].isna() | (table[column].astype(str).str.strip() == "")
        wrong, allowed = ~(numbers.isin([0, 1]) | blank), "0, 1 or empty"
    elif column == "probability":
        wrong, allowed = ~numbers.between(0, 1), "between 0 and 1"
    else:
        wrong, allowed = ~numbers.between(-LARGEST, LARGEST), "a finite number"
    if wrong.any():
        raise UserError(
            f"{column} {table[column][wrong].iloc[0]!r}",
            where=_cases(where, table[wrong]),
            remedy=f"must be {allowed}; a model that diverged predicts no numbers",
        )
    return numbers


def _groups(cases: npt.NDArray[np.str_], split: pd.DataFrame, where: str) -> npt.NDArray[np.str_]:
    group_of = dict(zip(split["case"].astype(str), split["group"].astype(str), strict=True))
    unknown = [case for case in cases if case not in group_of]
    if unknown:
        raise UserError(
            f"{len(unknown)} case(s) are not in the split, such as {unknown[0]}",
            where=where,
            remedy="predict again with the present split",
        )
    return np.array([group_of[case] for case in cases])


def _cases(where: str, rows: pd.DataFrame) -> str:
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{where}: case {rows['case'].iloc[0]}{more}"
