"""Tables of the page: what stands in a cell, and by what it is sorted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NONE = "\N{EN DASH}"  # where there is no value


@dataclass(frozen=True)
class Cell:
    """A cell: its text, the number it is sorted by (None: by its text), small lines below it.

    ``link`` is the address that the text leads to, if any.
    """

    text: str
    value: float | None = None
    notes: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Table:
    """Columns by title; ``marked`` rows (by number) stand out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = frozenset()
    note: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers, so that they are set to the right."""
        return tuple(
            any(row[i].value is not None for row in self.rows) for i in range(len(self.columns))
        )


def number(value: float | None, digits: int = 3, notes: Sequence[str] = ()) -> Cell:
    """A number with so many decimals; NONE where there is none."""
    if value is None or value != value:
        return Cell(NONE, None, tuple(notes))
    return Cell(f"{value:.{digits}f}", value, tuple(notes))


def count(value: int) -> Cell:
    """A whole number."""
    return Cell(f"{value:,}".replace(",", "\u202f"), value)


def of_rows(title: str, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> Table:
    """Some columns of a CSV as they are."""
    return Table(
        title, tuple(columns), tuple(tuple(Cell(row[name]) for name in columns) for row in rows)
    )
