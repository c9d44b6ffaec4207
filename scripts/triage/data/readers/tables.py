"""Reading of label tables that other people made, with any editor.

A byte order mark, any line ends, empty lines, trailing commas and spaces around cells are
survived. What makes labels doubtful is an error that names the file and the line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from triage.data.readers import Problem
from triage.errors import UserError

MAX_BYTES = 2**28


@dataclass(frozen=True)
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
    return sorted(path for path in paths if PurePosixPath(path).name.lower() in wanted)


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


def read(path: Path, columns: Sequence[str]) -> list[Row]:
    """All rows of the table, which must have ``columns``.

    Raises UserError where it is no such table, or a row has too few or too many cells.
    """
    lines = _lines(path)
    _, first = next(lines, (0, []))
    # NIH's tables have unquoted commas in their header, and names two columns each.
    header = [name.strip() for cell in first for name in cell.split(",")]
    _check_header(path, header, columns)
    needed = 1 + max(header.index(column) for column in columns)
    rows = []
    for line, cells in lines:
        where = f"{path}, line {line}"
        if len(cells) < needed or any(cells[len(header) :]):
            raise UserError(
                f"has {len(cells)} cells, the header has {len(header)}",
                where=where,
                remedy='correct the row; a cell that holds a comma needs quotes: "a, b"',
            )
        rows.append(Row(path, line, dict(zip(header, cells, strict=False))))
    if not rows:
        raise UserError("has no rows", where=path, remedy="fill it, or remove it")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of each line that is not empty."""
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        remedy = "look for a quote that is not closed"
        raise UserError(
            f"is no CSV ({error})", where=f"{path}, line {line}", remedy=remedy
        ) from error


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises UserError where it is none."""
    remedy = "save it as CSV in UTF-8"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"is larger than {MAX_BYTES} bytes", where=path, remedy=remedy)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"is not in UTF-8 ({error})", where=path, remedy=remedy) from error
    except OSError as error:
        raise UserError(
            f"can't be read ({error.strerror})",
            where=path,
            remedy="see that it is a file, and that you may read it",
        ) from error
    if "\0" in text:
        raise UserError("holds zero bytes", where=path, remedy=remedy)
    return text


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in header]
    doubled = [column for column in columns if header.count(column) > 1]
    if missing:
        for name, delimiter in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|")):
            if sum(cell.count(delimiter) for cell in header) >= len(columns) - 1 > 0:
                what, remedy = f"is separated by {name}", "save it with commas"
                raise UserError(what, where=path, remedy=remedy)
        what = f"lacks the column(s) {', '.join(missing)}"
        raise UserError(what, where=path, remedy=f"its header is: {','.join(header)[:300]}")
    if doubled:
        what = f"has the column(s) {', '.join(doubled)} twice"
        raise UserError(what, where=path, remedy="remove one")


def unique(
    rows: Iterable[Row], column: str, deciding: Sequence[str]
) -> tuple[list[Row], list[Problem]]:
    """The first row of every name in ``column``; others that agree with it are problems.

    Raises UserError where two rows of one name differ in one of the ``deciding`` columns, or a row
    has no name.
    """
    first: dict[str, Row] = {}
    problems = []
    for row in rows:
        name = row[column]
        if not name:
            raise UserError(f"has no {column}", where=row.where, remedy="fill it in")
        other = first.setdefault(name, row)
        if other is row:
            continue
        for each in deciding:
            if row[each] != other[each]:
                raise UserError(
                    f"{name} has {each} {row[each]!r}, but {other[each]!r} in line {other.line}",
                    where=row.where,
                    remedy="correct or remove one of the two",
                )
        problems.append(Problem(row.table.name, "", f"line {row.line} repeats line {other.line}"))
    return list(first.values()), problems


def unknown(what: str, value: str, row: Row, allowed: Iterable[str]) -> UserError:
    """The error of a cell whose value is none of ``allowed``."""
    return UserError(
        f"unknown {what} {value!r}", where=row.where, remedy=f"allowed are {', '.join(allowed)}"
    )


def without_picture(table: str, row: Row, column: str) -> Problem:
    """A row whose picture is not there; the case is called like the picture."""
    case = PurePosixPath(row[column]).stem
    return Problem(table, case, f"line {row.line} names {row[column]}, which is not there")


def without_row(table: str, pictures: Iterable[str]) -> list[Problem]:
    """Pictures that no row names."""
    reason = f"is in no row of {table}"
    return [Problem(path, PurePosixPath(path).stem, reason) for path in sorted(pictures)]
