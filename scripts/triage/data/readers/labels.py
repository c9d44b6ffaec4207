"""What the label columns of a table say: one column, one with separators, or one for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from triage.data.readers import IndexSettings, tables
from triage.data.readers.tables import Row
from triage.errors import UserError
from triage.task import NONE, SEPARATOR, UNSURE, Task


class Labels(Protocol):
    """Gives the label of a row: its classes with SEPARATOR between them, in their order.

    Empty where nothing is known; None where the row is to be left out.
    """

    columns: list[str]

    def __call__(self, row: Row) -> str | None: ...


def labels(settings: IndexSettings) -> Labels:
    """The reading of labels that the settings ask for. Raises UserError where they don't fit."""
    column = settings.columns.label
    if column is None or isinstance(column, str):
        return Named(column, settings)
    return Marked(column, settings)


class Named:
    """One column that names the class, or several with a separator between them."""

    def __init__(self, column: str | None, settings: IndexSettings) -> None:
        self.columns = [column] if column else []
        self.separator = settings.columns.separator
        self.classes, self.task = settings.classes, settings.task
        named = {plain(value): name for value, name in settings.values.items()}
        self.class_of = {plain(name): name for name in settings.classes} | named
        self._known: dict[str, str | None] = {}  # labels of cells
        self.leave_out = {plain(value) for value in settings.leave_out}
        for name in settings.values.values():
            if name not in settings.classes:
                raise UserError(
                    f"{name!r} is no class",
                    where="index.values",
                    remedy=f"classes are {', '.join(settings.classes)}",
                )

    def __call__(self, row: Row) -> str | None:
        if not self.columns:
            return ""
        cell = row[self.columns[0]]
        if cell not in self._known:
            self._known[cell] = self._read(cell, row)
        return self._known[cell]

    def _read(self, cell: str, row: Row) -> str | None:
        parts = cell.split(self.separator) if self.separator else [cell]
        words = [plain(part.strip()) for part in parts if part.strip()]
        if any(word in self.leave_out for word in words):
            return None
        found = {self._class(word, row) for word in words}
        return SEPARATOR.join(name for name in self.classes if name in found)

    def _class(self, word: str, row: Row) -> str:
        if word not in self.class_of:
            more = "; name its class in index.values, or list it in index.leave_out"
            raise tables.unknown(self.columns[0], word, row, self.class_of, more)
        return self.class_of[word]


class Marked:
    """One column a class, which holds 1 or 0, -1 where that is uncertain, or nothing.

    ``columns``: the column of each class, or those that are called like a class.
    """

    WORDS = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False}

    def __init__(self, columns: Sequence[str] | Mapping[str, str], settings: IndexSettings) -> None:
        named = dict(columns) if isinstance(columns, Mapping) else {each: each for each in columns}
        named = {settings.values.get(name, name): column for name, column in named.items()}
        self.columns = list(named.values())
        self.classes, self.task = settings.classes, settings.task
        self.uncertain, self.blank = settings.uncertain, settings.blank
        lacking = [name for name in settings.classes if name not in named]
        if lacking and not (self.task is Task.BINARY and len(lacking) == 1):
            raise UserError(
                f"no column for {', '.join(lacking)}",
                where="index.columns.label",
                remedy="name a column for each class: {class: column}",
            )
        self.column_of = named
        self.rest = lacking[0] if lacking else None

    def __call__(self, row: Row) -> str | None:
        marks = {name: self._mark(row, column) for name, column in self.column_of.items()}
        if self.rest is not None:  # of two classes one has a column
            (mark,) = marks.values()
            marks[self.rest] = None if mark is None else not mark
        if self.task is Task.MULTILABEL:
            return self._several(marks)
        yes = [name for name, mark in marks.items() if mark]
        if len(yes) > 1:
            raise UserError(
                f"marks several classes: {', '.join(yes)}",
                where=row.where,
                remedy="correct the row, or set task: multilabel",
            )
        return yes[0] if yes else ""

    def _several(self, marks: Mapping[str, bool | None]) -> str:
        if all(mark is None for mark in marks.values()):
            return ""
        signs = {True: "", None: UNSURE}
        found = [signs[mark] + name for name in self.classes if (mark := marks[name]) is not False]
        return SEPARATOR.join(found) or NONE

    def _mark(self, row: Row, column: str) -> bool | None:
        word = plain(row[column]).casefold()
        if word in self.WORDS:
            return self.WORDS[word]
        policy = {"-1": self.uncertain, "": self.blank}.get(word)
        if policy is None:
            raise tables.unknown(column, row[column], row, ["1", "0", "-1", "nothing"])
        return {"ignore": None, "positive": True, "negative": False}[policy]


def plain(word: str) -> str:
    """``word``, of whole numbers without a decimal point: 1.0 and 1 say the same."""
    number = tables.number(word)
    return str(int(number)) if number is not None and number.is_integer() else word
