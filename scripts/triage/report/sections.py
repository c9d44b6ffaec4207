"""Sections of a card or a checklist: the same for Markdown, for the page and for a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from triage.report.tables import Cell, Table
from triage.shield import printable

_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]*:(?=\S)|www\.)", re.IGNORECASE)


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs and, perhaps, a table of words."""

    title: str
    paragraphs: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def table(self) -> Table:
        """The table as the page shows it."""
        return Table(self.title, self.columns, tuple(tuple(map(Cell, row)) for row in self.rows))


def markdown(title: str, sections: Iterable[Section]) -> str:
    """Sections as a Markdown document."""
    lines = [f"# {_plain(title)}"]
    for section in sections:
        lines += ["", f"## {section.title}"]
        for paragraph in section.paragraphs:
            # At its beginning a few characters more would make it something else.
            lines += ["", re.sub(r"^[#>+=-]", r"\\\g<0>", _plain(paragraph))]
        if section.rows:
            lines += ["", _row(section.columns), _row("---" for _ in section.columns)]
            lines += map(_row, section.rows)
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", r"\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    text = re.sub(r"[\\`*_<\[\]]", r"\\\g<0>", printable(" ".join(text.split())))
    # What readers of Markdown make links of without being told to.
    return _ADDRESS.sub(lambda found: found[0].replace(":", r"\:").replace(".", r"\."), text)
