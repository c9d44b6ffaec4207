"""What is known of a case beside its label: age, sex, site, scanner, or whatever a table names.

The manifest has them as JSON in one column, name -> text. ``age`` is in years, ``sex`` is M or F.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from triage.command import log
from triage.files import parse_cell

COLUMN = "attributes"
AGE, SEX = "age", "sex"
OLDEST = 120
MISSING = frozenset(("n/a", "na", "nan", "null"))  # what programs write into an empty cell
_REMEMBERED = 10_000  # rows of cells whose meaning need not be found again
_REMEDY = "take it out of index.attributes"
_AGE = re.compile(r"(\d+(?:[.,]\d+)?) ?([YMD]?)", re.IGNORECASE)
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "D": 1 / 365.25}
_SEXES = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "W": "F"}


def of(row: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a case, from its row of the manifest; only those that are known."""
    found = parse_cell(row, COLUMN) or {}
    return {str(name): str(value) for name, value in dict(found).items()}


def text(attributes: Mapping[str, str]) -> str:
    """How the manifest has them."""
    return _text(tuple(attributes.items())) if attributes else ""


@lru_cache(_REMEMBERED)
def _text(items: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(items), ensure_ascii=False, sort_keys=True)


def years(cell: str) -> str:
    """The age that a cell says, as 63, 063Y or 13M, in years; empty where no person has it."""
    found = _AGE.fullmatch(cell)
    if not found:
        return ""
    age = float(found[1].replace(",", ".")) * _YEARS[found[2].upper()]
    return f"{age:g}" if age <= OLDEST else ""


def sex(cell: str) -> str:
    """M, F or empty."""
    return _SEXES.get(cell.upper(), "")


def _value(name: str, cell: str) -> str:
    if name == AGE:
        return years(cell)
    if name == SEX:
        return sex(cell)
    return "" if cell.casefold() in MISSING else cell


class Attributes:
    """Reads the attributes of rows, and knows what is odd about them as a whole.

    ``columns``: the column of each attribute.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = dict(columns)
        self._rows = 0
        self._known: Counter[str] = Counter()
        self._values: dict[str, set[str]] = defaultdict(set)  # two are enough
        self._strange: dict[str, list[str]] = defaultdict(list)
        self._read: dict[tuple[str, ...], dict[str, str]] = {}  # what cells say

    def read(self, cells: Mapping[str, str], where: str) -> dict[str, str]:
        """Those that a row has; ``where`` says which row that is."""
        self._rows += 1
        texts = tuple([cells.get(column, "") for column in self._columns.values()])
        found = self._read.get(texts)
        if found is None:
            values = zip(self._columns, map(_value, self._columns, texts), strict=True)
            found = {name: value for name, value in values if value}
            for name, value in found.items():
                if len(self._values[name]) < 2:
                    self._values[name].add(value)
            if len(self._read) < _REMEMBERED:
                self._read[texts] = found
        for name in found:
            self._known[name] += 1
        if AGE in self._columns and AGE not in found:
            cell = cells.get(self._columns[AGE], "")
            if cell and cell.casefold() not in MISSING:
                self._strange[AGE].append(f"{cell!r} in {where}")
        return found

    def tell(self, table: Path) -> None:
        """Warn of attributes that say little."""
        for name, cells in self._strange.items():
            log.warning(
                "warning: %s: %d %s(s) are left out, for example %s: correct them",
                *(table, len(cells), name, cells[0]),
            )
        for name, column in self._columns.items() if self._rows > 1 else ():
            if self._known[name] * 2 < self._rows:
                what = f"{self._known[name]} of {self._rows} rows"
                say = "warning: %s: attribute %s (column %s): only %s have it: fill it in, or %s"
                log.warning(say, table, name, column, what, _REMEDY)
            elif len(self._values[name]) == 1:
                value = min(self._values[name])
                say = "warning: %s: attribute %s (column %s) is always %s: %s"
                log.warning(say, table, name, column, value, _REMEDY)
