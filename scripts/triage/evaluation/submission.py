"""The submission file: one row a case, checked before it is written and on request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from triage.errors import UserError
from triage.files import read_rows, write_rows

COLUMNS = ["case", "probability", "class"]
PROBABILITY = re.compile(r"[01]\.\d{5}")


def rows_of(probabilities: Mapping[str, float], threshold: float) -> list[dict[str, str]]:
    """The rows of a submission, ascending by case.

    The class is taken from the printed probability, so that the two can't disagree.
    """
    rows = []
    for case in sorted(probabilities, key=ascending):
        printed = f"{probabilities[case]:.5f}"
        rows.append({"case": case, "probability": printed, "class": classify(printed, threshold)})
    return rows


def classify(printed: str, threshold: float) -> str:
    """``1`` where a printed probability is above the threshold, else ``0``."""
    return str(int(float(printed) > threshold))


def ascending(case: str) -> tuple[int, int, str]:
    """Numbers by value and before names, so that 9 comes before 10."""
    return (0, int(case), case) if case.isascii() and case.isdigit() else (1, 0, case)


def write(rows: list[dict[str, str]], expected: Iterable[str], threshold: float, to: Path) -> None:
    """Write a submission once it is checked. Raises UserError, and writes nothing, if wrong."""
    check_rows(rows, expected, threshold, to)
    write_rows(rows, COLUMNS, to)


def check(path: Path, expected: Iterable[str], threshold: float) -> int:
    """Check a submission file; the number of its cases.

    Raises UserError naming the row of the first mistake and what is allowed.
    """
    first = path.read_text(encoding="utf-8-sig").splitlines()[:1] if path.exists() else []
    if first and first[0].split(",") != COLUMNS:
        raise UserError(
            f"the header is {first[0]!r}", where=path, remedy=f"must be {','.join(COLUMNS)}"
        )
    rows = read_rows(path)
    check_rows(rows, expected, threshold, path)
    return len(rows)


def check_rows(
    rows: list[dict[str, str]], expected: Iterable[str], threshold: float, where: Path
) -> None:
    """Raise UserError unless ``rows`` are exactly the expected cases, in order, each consistent."""
    wanted = set(expected)
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        place = f"{where}, line {line}"
        _check_row(row, threshold, place)
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


def _check_row(row: Mapping[str, str | None], threshold: float, place: str) -> None:
    if None in row or None in row.values():
        raise UserError("not three cells", where=place, remedy="one value for each column")
    printed, given = str(row["probability"]), row["class"]
    if not PROBABILITY.fullmatch(printed) or float(printed) > 1:
        raise UserError(
            f"probability {printed!r}", where=place, remedy="0 to 1, with five decimals: 0.50000"
        )
    if given != classify(printed, threshold):
        raise UserError(
            f"class {given!r} disagrees with probability {printed}",
            where=place,
            remedy=f"1 where the probability is above {threshold:g}, else 0",
        )
