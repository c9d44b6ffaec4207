"""The submission file: one row a case, checked before it is written and on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from triage.errors import UserError
from triage.files import read_rows, write_rows
from triage.shield import is_formula

PROBABILITY = re.compile(r"[01]\.\d{5}")
# What a formula needs to do more than to fail; names of cases can't be written in another way.
_ACTS = re.compile(r"[=(|!\t\r\n]")


@dataclass(frozen=True)
class Form:
    """What a row holds: a probability and the class, which is 1 above ``threshold``; or, where
    ``classes`` names those of a multi-label study, a probability for each of them."""

    threshold: float = 0.5
    classes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        return ["case", *self.probabilities] + ["class"] * (not self.classes)

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The columns that hold probabilities."""
        return self.classes or ("probability",)


def rows_of(probabilities: Mapping[str, Sequence[float]], form: Form) -> list[dict[str, str]]:
    """The rows of a submission, ascending by case, from one probability a column of ``form``.

    The class is taken from the printed probability, so that the two can't disagree.
    """
    rows = []
    for case in sorted(probabilities, key=ascending):
        printed = [f"{value:.5f}" for value in probabilities[case]]
        row = {"case": case} | dict(zip(form.probabilities, printed, strict=True))
        if not form.classes:
            row["class"] = classify(printed[0], form.threshold)
        rows.append(row)
    return rows


def classify(printed: str, threshold: float) -> str:
    """``1`` where a printed probability is above the threshold, else ``0``."""
    return str(int(float(printed) > threshold))


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
    if not form.classes and row["class"] != classify(str(row["probability"]), form.threshold):
        raise UserError(
            f"class {row['class']!r} disagrees with probability {row['probability']}",
            where=place,
            remedy=f"1 where the probability is above {form.threshold:g}, else 0",
        )
    case = str(row["case"])
    if is_formula(case) and _ACTS.search(case):
        raise UserError(
            f"case {case!r} is a formula for whoever opens this in a spreadsheet",
            where=place,
            remedy="rename its raw file, or withdraw the case",
        )
