"""What the columns of a table may mean: candidates for a person to choose from, the best first."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.data.readers import table_files
from triage.data.readers.matching import Files
from triage.data.readers.row_files import CHANNEL, SUFFIXES
from triage.data.readers.table import PARTITIONS
from triage.data.survey import Survey

MOST_ROWS = 200_000
MOST_CLASSES = 30
_TRIED = 40  # rows whose files are looked for
_MARKS = {"0", "1", "-1", "", "0.0", "1.0", "-1.0"}
_LABEL = re.compile(r"label|class|diagnos|^dx$|target|outcome|finding|categor|grade|status|malign")
_GROUP = re.compile(r"patient|subject|lesion|participant|person|^pid$|group|case")
_ATTRIBUTE = re.compile(
    r"^(?:patient[ _])?(age|sex|gender)$|site|scanner|hospital|cent(?:er|re)|vendor|manufacturer"
    r"|localization|location|view|race|ethnicity|machine|device"
)


@dataclass(frozen=True)
class Column:
    """A column with its cells, and how often each value is there."""

    name: str
    cells: list[str]
    values: Counter[str]

    @property
    def filled(self) -> int:
        """How many cells are not empty."""
        return len(self.cells) - self.values[""]

    @property
    def distinct(self) -> int:
        """How many values there are."""
        return len(self.values) - ("" in self.values)


@dataclass(frozen=True)
class Columns:
    """A table by columns."""

    path: str
    columns: dict[str, Column]

    def called(self, words: re.Pattern[str]) -> list[str]:
        """The columns with such a name."""
        return [name for name in self.columns if words.search(name.lower())]


def read(raw: Path, path: str) -> Columns:
    """A table below ``raw``, or its first rows where it is long. Raises UserError."""
    table = table_files.open_table(raw / path)
    rows = [cells for _, (_, cells) in zip(range(MOST_ROWS), table.lines, strict=False)]
    columns = {}
    for place, name in enumerate(table.header):
        cells = [row[place] if place < len(row) else "" for row in rows]
        if name:
            columns[name] = Column(name, cells, Counter(cells))
    return Columns(path, columns)


def file_columns(table: Columns, survey: Survey) -> list[str]:
    """Columns whose cells name images, the surest first."""
    files = Files([*survey.pictures, *survey.volumes, *survey.series], SUFFIXES)
    shares = {}
    for column in table.columns.values():
        tried = _sample(column)
        hits = sum(len(files.named(cell)) == 1 for cell in tried)
        if tried and hits * 2 >= len(tried) and column.distinct * 2 >= column.filled:
            shares[column.name] = (hits / len(tried), column.distinct)
    return sorted(shares, key=lambda name: shares[name], reverse=True)


def _sample(column: Column) -> list[str]:
    cells = [cell for cell in column.values if cell]
    step = max(1, len(cells) // _TRIED)
    return cells[::step][:_TRIED]


@dataclass(frozen=True)
class Pattern:
    """The path of a case's files, with the channels that stand in it."""

    text: str
    channels: tuple[str, ...]
    column: str


def patterns(table: Columns, survey: Survey) -> list[Pattern]:
    """Patterns in which a column's cells are parts of paths, that of most channels first."""
    images = [*survey.volumes, *survey.series, *survey.pictures]
    found = []
    for column in table.columns.values():
        if column.distinct * 2 < len(column.cells):
            continue
        templates: Counter[str] = Counter()
        tried = _sample(column)
        for cell in tried:
            templates.update(set(_templates(cell, column.name, images)))
        often = sorted(each for each, count in templates.items() if count * 5 >= len(tried) * 4)
        if often and (pattern := _joined(often, column.name)):
            found.append(pattern)
    return sorted(found, key=lambda each: -len(each.channels))


def _templates(cell: str, column: str, images: Sequence[str]) -> Iterator[str]:
    """The paths with ``cell`` in them, with the column's name in its place."""
    whole = re.compile(rf"(?<![A-Za-z0-9]){re.escape(cell)}(?![A-Za-z0-9])")
    for path in images:
        if cell in path and whole.search(path):
            yield whole.sub(lambda _: f"{{{column}}}", path)


def _joined(templates: Sequence[str], column: str) -> Pattern | None:
    """One pattern for paths that differ in one word, the channel."""
    if len(templates) == 1:
        return Pattern(templates[0], (), column)
    start = _common_start(templates)
    end = _common_start([each[len(start) :][::-1] for each in templates])[::-1]
    middles = [each[len(start) : len(each) - len(end)] for each in templates]
    words = [middle.split("/")[0] for middle in middles]
    shapes = {
        middle.replace(word, f"{{{CHANNEL}}}") if word else ""
        for middle, word in zip(middles, words, strict=True)
    }
    if len(shapes) != 1 or not all(words) or len(set(words)) != len(words):
        return None
    return Pattern(start + shapes.pop() + end, tuple(words), column)


def _common_start(texts: Sequence[str]) -> str:
    """What all begin with, up to the last sign that is of no word."""
    shared = os.path.commonprefix(list(texts))  # noqa: RUF071 (of characters, not of folders)
    return re.sub(r"[A-Za-z0-9]*$", "", shared)


def mark_columns(table: Columns, taken: set[str]) -> list[str]:
    """Columns of 0 and 1 (and -1 or nothing), which may each stand for a class."""
    return [
        name
        for name, column in table.columns.items()
        if name not in taken and column.distinct > 1 and set(column.values) <= _MARKS
    ]


def label_columns(table: Columns, taken: set[str]) -> list[str]:
    """Columns of a few values; only those that are called like labels, where there are any."""
    few = [
        name
        for name, column in table.columns.items()
        if name not in taken
        and 2 <= len(_words(column)) <= MOST_CLASSES
        and len(_words(column)) * 3 <= len(column.cells)
        and not _is_partition(column)
    ]
    named = [name for name in table.called(_LABEL) if name in few]
    return named or [name for name in few if not _ATTRIBUTE.search(name.lower())]


def separator(column: Column) -> str | None:
    """What stands between several classes in a cell."""
    for mark in ("|", ";", ","):
        parted = [value for value in column.values if mark in value]
        words = {word.strip() for value in column.values for word in value.split(mark)}
        if parted and len(words - {""}) < column.distinct:
            return mark
    return None


def _words(column: Column) -> set[str]:
    mark = separator(column)
    words = {part.strip() for value in column.values for part in value.split(mark or "\0")}
    return words - {""}


def group_columns(table: Columns, taken: set[str]) -> list[str]:
    """Columns that say which rows belong together, the coarsest first."""
    columns = [table.columns[name] for name in table.called(_GROUP) if name not in taken]
    several = [each for each in columns if 1 < each.distinct < len(each.cells)]
    return [each.name for each in sorted(several, key=lambda each: each.distinct)]


def _is_partition(column: Column) -> bool:
    words = {word for names in PARTITIONS.values() for word in names}
    found = {value.casefold() for value in column.values}
    return len(found) > 1 and found <= words


def partition_columns(table: Columns) -> list[str]:
    """Columns whose cells are all words of partitions."""
    return [name for name, column in table.columns.items() if _is_partition(column)]


def attribute_columns(table: Columns, taken: set[str]) -> dict[str, str]:
    """The columns of age, sex and what else subgroups are made of, where they vary."""
    found = {}
    for name in table.called(_ATTRIBUTE):
        column = table.columns[name]
        if name in taken or column.distinct < 2 or column.filled * 2 < len(column.cells):
            continue
        word = re.sub(r"^patient[ _]", "", name.lower()).replace("gender", "sex")
        found[word if word in ("age", "sex") else name] = name
    return found


def name_pattern(names: Sequence[str]) -> str | None:
    """A regular expression that finds groups in file names, where many names share a beginning."""
    for pattern in (r"^(.+?)[_-]\d+$", r"^([A-Za-z]+\d+)[_-].+$", r"^(.+)[_-][^_-]+$"):
        fitting = [found[1] for name in names if (found := re.search(pattern, name))]
        groups = Counter(fitting)
        shared = sum(count for count in groups.values() if count > 1)
        if len(fitting) * 2 > len(names) and shared * 5 > len(names) and len(groups) > 20:
            return pattern
    return None
