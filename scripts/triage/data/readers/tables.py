"""Reading of label tables that other people made, with any program.

What makes labels doubtful is an error that names the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from triage.data.attributes import MISSING
from triage.data.readers import Problem
from triage.data.readers.table_files import Table, open_table
from triage.errors import UserError, nearest

_LONGEST = 1 + max(map(len, MISSING))
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")
_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"))


@dataclass(slots=True)
class Row:
    """A row of a table: its line in the file, from 1, and its cells by column."""

    table: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.table}, line {self.line}"


def locate(paths: Iterable[str], names: Sequence[str]) -> list[str]:
    """Those of ``paths`` that have one of ``names``, in capitals or not."""
    wanted = [name.lower() for name in names]
    return sorted(path for path in paths if path.rpartition("/")[2].lower() in wanted)


def locate_one(raw: Path, paths: Iterable[str], names: Sequence[str]) -> str:
    """The one table called like one of ``names``. Raises UserError where there is none, or more."""
    found = locate(paths, names)
    if not found:
        remedy = "put it there, or set the study's raw folder to where it is"
        raise UserError(f"there is no {' or '.join(names)}", where=raw, remedy=remedy)
    if len(found) > 1:
        raise UserError(
            f"there are several tables: {', '.join(found)}",
            where=raw,
            remedy="keep the right one",
        )
    return found[0]


def header(path: Path, columns: Sequence[str]) -> list[str]:
    """The names of a table's columns, which must have ``columns``."""
    table = open_table(path, columns)
    check_header(table, columns)
    return table.header


def read(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of the table with their cells in ``columns``, and in those of ``optional`` that
    there are.

    Raises UserError where it is no such table, at once or when a row is reached that has too few
    or too many cells.
    """
    table = open_table(path, columns)
    check_header(table, columns)
    present = [name for name in optional if table.header.count(name) == 1]
    return _rows(table, columns, present)


def _rows(table: Table, columns: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    places = {name: table.header.index(name) for name in [*columns, *optional]}
    width, needed = len(table.header), 1 + max(places[name] for name in columns)
    last = max(places.values())
    is_empty = True
    for line, cells in table.lines:
        if len(cells) < needed or (len(cells) > width and any(cells[width:])):
            raise UserError(
                f"has {len(cells)} cells, the header has {width}",
                where=f"{table.path}, line {line}",
                remedy='correct the row; a cell that holds a comma needs quotes: "a, b"',
            )
        is_empty = False
        cells += [""] * (last + 1 - len(cells))
        row = Row(table.path, line, {name: cells[place] for name, place in places.items()})
        if not _ERRORS.isdisjoint(row.cells.values()):
            _refuse_error(row)
        yield row
    if is_empty:
        raise UserError("has no rows", where=table.path, remedy="fill it, or remove it")


def _refuse_error(row: Row) -> None:
    column = next(name for name, cell in row.cells.items() if cell in _ERRORS)
    raise UserError(
        f"has {row[column]} in column {column}: a formula that failed",
        where=row.where,
        remedy="correct the formula, or empty the cell",
    )


def check_header(table: Table, columns: Sequence[str]) -> None:
    """Raise UserError where the table lacks one of ``columns``, or has it twice."""
    missing = [column for column in columns if column not in table.header]
    doubled = [column for column in columns if table.header.count(column) > 1]
    if missing:
        hint = nearest(missing[0], table.header)
        raise UserError(
            f"lacks the column(s) {', '.join(missing)}",
            where=table.path,
            remedy=f"{hint}its header is: {','.join(table.header)[:300]}",
        )
    if doubled:
        what = f"has the column(s) {', '.join(doubled)} twice"
        raise UserError(what, where=table.path, remedy="remove one")


def unique(
    rows: Iterable[Row],
    name_of: Callable[[Row], str],
    deciding: Sequence[str],
    problems: list[Problem],
) -> Iterator[tuple[str, Row]]:
    """The first row of every name, with the name; ``problems`` gets others that agree with it.

    Raises UserError where two rows of one name differ in one of the ``deciding`` columns.
    """
    first: dict[str, tuple[int, tuple[str, ...]]] = {}
    for row in rows:
        name, values = name_of(row), tuple([intern(row.cells[each]) for each in deciding])
        line, others = first.setdefault(name, (row.line, values))
        if line == row.line:
            yield name, row
            continue
        for column, value, other in zip(deciding, values, others, strict=True):
            if value != other:
                raise UserError(
                    f"{name} has {column} {value!r}, but {other!r} in line {line}",
                    where=row.where,
                    remedy="correct or remove one of the two",
                )
        problems.append(Problem(row.table.name, "", f"line {row.line} repeats line {line}"))


def filled(row: Row, column: str) -> str:
    """The cell in a column, which names something. Raises UserError where it does not."""
    cell = row[column]
    if len(cell) < _LONGEST and (not cell or cell.casefold() in MISSING):
        said = f": {cell}" if cell else ""
        raise UserError(f"has no {column}{said}", where=row.where, remedy="fill it in")
    if "E+" in cell and _SHORTENED.fullmatch(cell):
        raise UserError(
            f"has {cell} as its {column}: a spreadsheet has shortened a long number",
            where=row.where,
            remedy="save the table anew from its source, with that column as text",
        )
    return cell


def number(text: str) -> float | None:
    """The number that a cell says, with a decimal point or comma; None where it says none, or 1,000
    (which may be a thousand, or one)."""
    if _THOUSANDS.fullmatch(text):
        return None
    try:
        return float(text.replace(",", ".") if text.count(",") == 1 else text)
    except ValueError:
        return None


def unknown(what: str, value: str, row: Row, allowed: Iterable[str], more: str = "") -> UserError:
    """The error of a cell whose value is none of ``allowed``."""
    allowed = list(allowed)
    return UserError(
        f"unknown {what} {value!r}",
        where=row.where,
        remedy=f"{nearest(value, allowed)}allowed are {', '.join(allowed)}{more}",
    )
