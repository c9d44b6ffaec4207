"""The submission file: one row a case, checked before it is written and on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from triage.constraints import Name, Share
from triage.errors import UserError
from triage.files import read_rows, write_rows
from triage.shield import is_formula
from triage.task import Task

PROBABILITY = re.compile(r"[01]\.\d{5}")
# What a formula needs to do more than to fail; names of cases can't be written in another way.
_ACTS = re.compile(r"[=(|!\t\r\n]")


@dataclass(frozen=True)
class SubmissionSettings:
    """What is submitted. ``classes`` and ``task``: see ``Form``."""

    arm: Name = "best"
    """The best on validation, or an arm's name."""
    threshold: Share = 0.5
    """A probability above it is the positive class."""
    classes: tuple[str, ...] = ()
    task: Task = Task.BINARY


@dataclass(frozen=True)
class Form:
    """What a row holds, by task.

    binary: a probability and the class, which is 1 above ``threshold``. multilabel: a probability
    for each of ``classes``. multiclass: the same, and the name of the likeliest class.
    """

    threshold: float = 0.5
    classes: tuple[str, ...] = ()
    task: Task = Task.BINARY

    @property
    def columns(self) -> list[str]:
        return ["case", *self.probabilities] + ["class"] * (self.task is not Task.MULTILABEL)

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The columns that hold probabilities."""
        return ("probability",) if self.task is Task.BINARY else self.classes

    def decision(self, printed: Mapping[str, str]) -> str:
        """The class that goes with printed probabilities, of equals the first."""
        if self.task is Task.BINARY:
            return str(int(float(printed["probability"]) > self.threshold))
        return max(self.classes, key=lambda name: float(printed[name]))


def rows_of(probabilities: Mapping[str, Sequence[float]], form: Form) -> list[dict[str, str]]:
    """The rows of a submission, ascending by case, from one probability a column of ``form``.

    The class is taken from the printed probability, so that the two can't disagree.
    """
    rows = []
    for case in sorted(probabilities, key=ascending):
        printed = [f"{value:.5f}" for value in probabilities[case]]
        row = {"case": case} | dict(zip(form.probabilities, printed, strict=True))
        if "class" in form.columns:
            row["class"] = form.decision(row)
        rows.append(row)
    return rows


def ascending(case: str) -> tuple[int, int, str]:
    """Numbers by value and before names, so that 9 comes before 10."""
    return (0, int(case), case) if case.isascii() and case.isdigit() else (1, 0, case)


def write(rows: list[dict[str, str]], expected: Iterable[str], form: Form, to: Path) -> None:
    """Write a submission once it is checked. Raises UserError, and writes nothing, if wrong."""
    check_rows(rows, expected, form, to)
    write_rows(rows, form.columns, to, exact=True)


def check(path: Path, expected: Iterable[str], form: Form) -> int:
    """Check a submission file; the number of its cases.

    Raises UserError naming the row of the first mistake and what is allowed.
    """
    first = path.read_text(encoding="utf-8-sig").splitlines()[:1] if path.exists() else []
    if first and first[0].split(",") != form.columns:
        raise UserError(
            f"the header is {first[0]!r}", where=path, remedy=f"must be {','.join(form.columns)}"
        )
    rows = read_rows(path)
    check_rows(rows, expected, form, path)
    return len(rows)


def check_rows(
    rows: list[dict[str, str]], expected: Iterable[str], form: Form, where: Path
) -> None:
    """Raise UserError unless ``rows`` are exactly the expected cases, in order, each consistent."""
    wanted = set(expected)
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        place = f"{where}, line {line}"
        _check_row(row, form, place)
        case = row["case"]
        if case in seen:
            raise UserError(
                f"case {case!r} is there twice (line {seen[case]})", where=place, remedy="keep one"
            )
        if case not in wanted:
            raise UserError(
                f"case {case!r} is not to be predicted", where=place, remedy="take the row out"
            )
        seen[case] = line
    if missing := sorted(wanted - seen.keys(), key=ascending):
        raise UserError(
            f"{len(missing)} case(s) missing: {', '.join(missing[:5])}",
            where=where,
            remedy="every case needs one row",
        )
    order = list(seen)
    for before, after in pairwise(order):
        if ascending(before) > ascending(after):
            raise UserError(
                f"case {after!r} comes after {before!r}",
                where=f"{where}, line {seen[after]}",
                remedy="sort the rows by case, ascending",
            )


def _check_row(row: Mapping[str, str | None], form: Form, place: str) -> None:
    if None in row or None in row.values():
        raise UserError(
            f"not {len(form.columns)} cells", where=place, remedy="one value for each column"
        )
    for column in form.probabilities:
        printed = str(row[column])
        if not PROBABILITY.fullmatch(printed) or float(printed) > 1:
            raise UserError(
                f"{column} {printed!r}", where=place, remedy="0 to 1, with five decimals: 0.50000"
            )
    if "class" not in form.columns:
        return
    numbers = {column: str(row[column]) for column in form.probabilities}
    if row["class"] != form.decision(numbers):
        binary = form.task is Task.BINARY
        rule = f"1 where the probability is above {form.threshold:g}, else 0"
        raise UserError(
            f"class {row['class']!r} disagrees with probability {', '.join(numbers.values())}",
            where=place,
            remedy=rule if binary else "the name of the column with the highest probability",
        )
    case = str(row["case"])
    if is_formula(case) and _ACTS.search(case):
        raise UserError(
            f"case {case!r} is a formula for whoever opens this in a spreadsheet",
            where=place,
            remedy="rename its raw file, or withdraw the case",
        )
