"""The files that tables of labels come in: text with any separator, Excel sheets, Parquet.

A table is its header and its lines, all cells as stripped text. A byte order mark, UTF-16, any line
ends, empty lines, trailing separators and spaces around cells are survived.
"""

from __future__ import annotations

import csv
import datetime
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from triage.command import log
from triage.data.spelling import spelt
from triage.errors import UserError

TEXT, EXCEL, PARQUET = (".csv", ".tsv", ".tab", ".txt"), (".xlsx", ".xlsm"), (".parquet",)
EXTENSIONS = (*TEXT, *EXCEL, *PARQUET)
MAX_BYTES = 2**29
MAX_SHEET = 2**28  # bytes of a workbook, unpacked
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16
_REMEDY = "save it as CSV in UTF-8"

Line = tuple[int, list[str]]  # number of the line in the file, from 1; its cells


@dataclass(frozen=True)
class Table:
    """A table that was opened: its header, and the lines below, which are read as they are asked
    for."""

    path: Path
    header: list[str]
    lines: Iterator[Line]


def open_table(path: Path, columns: Sequence[str] = ()) -> Table:
    """The table in a file, whose header should have ``columns``: that tells how it is separated,
    and which sheet of a workbook is meant. Raises UserError where it is no table."""
    kind = path.suffix.lower()
    if kind == ".xls":
        raise UserError("is of Excel 97 to 2003", where=path, remedy="save it as .xlsx or as CSV")
    _check_size(path)
    if kind in EXCEL:
        return _with_header(path, _of_workbook(path, columns))
    if kind in PARQUET:
        return _with_header(path, _of_parquet(path))
    return _with_header(path, _of_text(path, columns))


def _with_header(path: Path, lines: Iterator[Line]) -> Table:
    _, header = next(lines, (0, []))
    first = next(lines, None)
    if first is None:
        return Table(path, header, iter(()))
    # NIH's tables have unquoted commas in their header, and names of two columns each.
    split = [name.strip() for cell in header for name in cell.split(",")]
    if len(header) < len(split) <= len(first[1]):
        header = split
    return Table(path, header, chain([first], lines))


def _check_size(path: Path) -> None:
    with _reading(path):
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"is larger than {MAX_BYTES} bytes", where=path, remedy=_REMEDY)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What the reading of a file raises, in words."""
    try:
        yield
    except UnicodeDecodeError as error:
        what = f"is not in UTF-8 ({error.reason} {error.object[error.start]:#x})"
        raise UserError(what, where=path, remedy=_REMEDY) from error
    except OSError as error:
        raise UserError(
            f"can't be read ({error.strerror})",
            where=path,
            remedy="see that it is a file, and that you may read it",
        ) from error


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises UserError where it is none."""
    _check_size(path)
    with _opened(path) as stream:
        return "".join(_checked(path, stream))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    with _reading(path):
        with open(path, "rb") as file:
            is_utf16 = file.read(2) in _BYTE_ORDER_MARKS
        with open(path, encoding="utf-16" if is_utf16 else "utf-8-sig", newline="") as stream:
            yield stream


def _checked(path: Path, stream: Iterable[str]) -> Iterator[str]:
    for line in stream:
        if "\0" in line:
            raise UserError("holds zero bytes", where=path, remedy=_REMEDY)
        yield line


def _of_text(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    line = 1
    with _opened(path) as stream:
        text = _checked(path, stream)
        first = next((each for each in text if each.strip()), "")
        delimiter = _delimiter(first, columns)
        reader = csv.reader(chain([first], text), strict=True, delimiter=delimiter)
        try:
            for cells in reader:
                if not "".join(cells).isascii():
                    cells = list(map(spelt, cells))
                cells = [cell.strip() for cell in cells]
                if any(cells):
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            remedy = "look for a quote that is not closed"
            where = f"{path}, line {line}"
            raise UserError(f"is no CSV ({error})", where=where, remedy=remedy) from error


def _delimiter(header: str, columns: Sequence[str]) -> str:
    """What stands between cells: the commonest by which the header has ``columns``."""
    plain = re.sub(r'"[^"]*"', "", header)
    by_count = sorted(DELIMITERS, key=lambda each: -plain.count(each))
    for delimiter in by_count:
        names = {cell.strip(' "\r\n') for cell in header.split(delimiter)}
        if columns and names.issuperset(columns):
            return delimiter
    return by_count[0]


def _of_workbook(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    import openpyxl  # here: slow to load, and few need it

    with _reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(each.file_size for each in archive.infolist())
                if unpacked > MAX_SHEET:
                    raise UserError(f"has more than {MAX_SHEET} bytes", where=path, remedy=_REMEDY)
                parts = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
                calculates = any(b"</f>" in archive.read(name) for name in parts)
            book = openpyxl.load_workbook(path, data_only=True)
            formulas = openpyxl.load_workbook(path) if calculates else None
        except (UserError, OSError):
            raise
        except Exception as error:  # whatever a damaged file makes its readers do
            raise UserError(f"is no workbook ({error})", where=path, remedy=_REMEDY) from error
    sheets = [sheet for sheet in book.worksheets if sheet.max_row > 1 or sheet["A1"].value]
    fitting = [sheet for sheet in sheets if columns and set(_first(sheet)).issuperset(columns)]
    chosen = fitting if len(fitting) == 1 else sheets
    if len(chosen) != 1:
        names = ", ".join(sheet.title for sheet in sheets) or "none with cells"
        what = f"must have one sheet with the columns; it has {names}"
        raise UserError(what, where=path, remedy="keep the right one, or save it as CSV")
    sheet = chosen[0]
    if merged := sorted(map(str, sheet.merged_cells.ranges)):
        raise UserError(
            f"has merged cells: {', '.join(merged[:3])}, of which only the first says something",
            where=f"{path}, sheet {sheet.title}",
            remedy="part them, and fill each cell",
        )
    if formulas:
        _check_formulas(sheet, formulas[sheet.title], f"{path}, sheet {sheet.title}")
    if hidden := sum(each.hidden for each in sheet.row_dimensions.values()):
        log.warning("warning: %s, sheet %s: %d hidden row(s) count", path, sheet.title, hidden)
    return _filled(map(_shown, row) for row in sheet.iter_rows())


def _shown(cell: Any) -> Any:
    """The value of a cell, a whole number with the zeros that are shown before it."""
    value = cell.value
    if isinstance(value, int) and not cell.number_format.strip("0"):
        return str(value).zfill(len(cell.number_format))
    return value


def _check_formulas(sheet: Any, formulas: Any, where: str) -> None:
    """Refuse formulas without a result, as programs write them that don't calculate."""
    for row in formulas.iter_rows():
        for cell in row:
            found = sheet[cell.coordinate]
            is_text = found.data_type == "str"  # an empty one is a result
            if cell.data_type == "f" and found.value is None and not is_text:
                raise UserError(
                    f"has formulas without a result, such as in {cell.coordinate}",
                    where=where,
                    remedy="open and save it in Excel or LibreOffice, or save it as CSV there",
                )


def _first(sheet: Any) -> list[str]:
    return [_text(value) for row in sheet.iter_rows(max_row=1, values_only=True) for value in row]


def _of_parquet(path: Path) -> Iterator[Line]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        remedy = "pip install pyarrow, or save it as CSV"
        raise UserError("is Parquet, which needs pyarrow", where=path, remedy=remedy) from error
    except (OSError, ValueError) as error:
        raise UserError(f"is no Parquet ({error})", where=path, remedy=_REMEDY) from error
    if any(frame.index.names):  # pandas keeps some columns as the index
        frame = frame.reset_index()
    values = frame.astype(object).where(frame.notna(), None)
    return _filled(chain([frame.columns], values.itertuples(index=False, name=None)))


def _filled(rows: Iterable[Iterable[Any]]) -> Iterator[Line]:
    for line, row in enumerate(rows, start=1):
        cells = [_text(value) for value in row]
        if any(cells):
            yield line, cells


def _text(value: Any) -> str:
    """A cell as a person would write it: whole numbers without a point, days without an hour."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if hasattr(value, "tolist"):
        return _text(value.tolist())
    if isinstance(value, list | tuple):
        return "|".join(map(_text, value))
    return spelt(str(value)).strip()
