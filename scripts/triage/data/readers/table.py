"""Reader of any images with one table, whose columns are named in the settings.

The table is CSV with any separator, Excel or Parquet; see ``Columns`` for what a row may say. A
case is a picture, or a volume of one or more ``channels``, each with a file (or a folder of DICOM
slices) of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from triage.command import log
from triage.data.attributes import Attributes
from triage.data.readers import (
    USUAL,
    Case,
    Found,
    Grouping,
    IndexSettings,
    Loading,
    Problem,
    picture_files,
    tables,
    volume_files,
    volumes,
)
from triage.data.readers.labels import labels
from triage.data.readers.matching import Files, stem
from triage.data.readers.row_files import IMAGE, SUFFIXES, RowFiles
from triage.data.readers.table_files import EXTENSIONS
from triage.data.readers.tables import Row
from triage.errors import UserError

PARTITIONS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SHOWN = 5


def find(raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
    """The cases that the table names, and what is wrong with the rest.

    Raises UserError where the settings don't fit the table, or the table can't be trusted.
    """
    if settings.table is None:
        raise UserError("is not set", where="index.table", remedy="name the table, below raw")
    table = _located(raw, paths, settings.table)
    return Rows(raw, table, paths, settings).cases()


def _located(raw: Path, paths: Sequence[str], name: str) -> str:
    """The path of the table below ``raw``."""
    if name in paths:
        return name
    if tables.locate(paths, [name]):
        return tables.locate_one(raw, paths, [name])
    close = Files(path for path in paths if path.lower().endswith(EXTENSIONS)).nearest(name)
    hint = f"did you mean {close}? " if close else ""
    remedy = f"{hint}put it there, or correct index.table"
    raise UserError(f"there is no {name}", where=raw, remedy=remedy)


class Rows:
    """What the rows of one table say, by the settings; a reader of a known table changes a part.

    ``table`` is its path below ``raw``. Where a bare file name fits several files, the shallowest
    is taken if ``shallowest``, or else none.
    """

    shallowest = False
    partition_source = "no partition"

    def __init__(
        self, raw: Path, table: str, paths: Sequence[str], settings: IndexSettings
    ) -> None:
        self.raw, self.table, self.settings = raw, table, settings
        self.paths = paths
        self.columns = settings.columns
        self.groups = _listed(self.columns.group)
        others = [path for path in paths if path != table]
        self.files = RowFiles(others, settings, self.shallowest)
        self.problems: list[Problem] = []
        self.left_out: Counter[str] = Counter()
        self.label_of = labels(settings)
        self.grouping = Grouping(settings.group)
        self.partition_of = _partition_words(settings)
        self.attributes = Attributes(settings.attribute_columns)
        self.first_missing = ""

    def cases(self) -> Found:
        """The cases, and what is wrong with the rest."""
        deciding = [*self.label_of.columns, *self.groups]
        deciding += [each for each in (self.columns.partition, self.columns.votes) if each]
        wanted = [*self.files.columns, *deciding, *_listed(self.columns.case)]
        wanted += self.settings.attribute_columns.values()
        rows = tables.read(self.raw / self.table, list(dict.fromkeys(wanted)))
        found = []
        for _, row in tables.unique(rows, self.files.name, deciding, self.problems):
            case = self._case(row)
            if case is not None:
                found.append(case)
        self._check_found(found)
        self._tell(found)
        return _apart(found), [*self.problems, *self._without_row()]

    def _case(self, row: Row) -> Case | None:
        label = self.label(row)
        if label is None:
            self._leave_out(row)
            return None
        partition, votes = self.partition(row), self.votes(row, label)
        case = self._name(row)
        group = self.group(row, case)
        files = self._files(row, case)
        if not files:
            return None
        if partition is None:
            first = next(iter(files.values()))
            self.problems.append(Problem(first, case, f"is in {self.partition_source}"))
            return None
        attributes = self.attributes.read(row.cells, f"line {row.line}")
        return Case(case, group, label, partition, files, votes, attributes)

    def _leave_out(self, row: Row) -> None:
        words = " ".join(row[column] for column in self.label_of.columns)
        self.left_out[words] += 1
        self.files.found(row)  # which are not without a row

    def _check_found(self, found: Sequence[Case]) -> None:
        if found or not self.first_missing:
            return
        close = self.files.files.nearest(self.first_missing)
        hint = f"the most alike is {close}; " if close else ""
        # A folder is listed among files only where it can't be looked into.
        locked = next((path for path in self.paths if (self.raw / path).is_dir()), None)
        more = f"; {locked} can't be looked into (no permission)" if locked else ""
        raise UserError(
            "names no file that is there: the first that was looked for is"
            f" {self.first_missing}{more}",
            where=self.raw / self.table,
            remedy=f"{hint}correct index.columns.{'pattern' if self.columns.pattern else 'file'},"
            " or the study's raw folder",
        )

    def _tell(self, found: Sequence[Case]) -> None:
        for words, count in self.left_out.items():
            log.info("left out by index.leave_out: %d row(s) with %s", count, words)
        if unlabelled := sum(not case.label for case in found):
            log.info("%d row(s) have no label", unlabelled)
        table = self.raw / self.table
        self.attributes.tell(table)
        parts: dict[str, Case] = {}
        torn: dict[str, str] = {}
        for case in found:
            first = parts.setdefault(case.group, case)
            if first.partition != case.partition:
                torn.setdefault(case.group, f"{first.case} in {first.partition or 'no part'}, "
                                f"{case.case} in {case.partition or 'no part'}")  # fmt: skip
        if torn:
            log.warning(
                "warning: %s: %d group(s) have cases in two partitions: %s: correct column %s,"
                " or see split.leaks",
                *(table, len(torn)),
                "; ".join(f"{group}: {words}" for group, words in list(torn.items())[:_SHOWN]),
                self.columns.partition,
            )

    def _without_row(self) -> list[Problem]:
        """Images that no row names."""
        reason, doubles = f"is in no row of {self.table}", self.files.doubles
        return [
            Problem(path, "", f"has the same name as {doubles[path]}")
            if path in doubles
            else Problem(path, stem(path, SUFFIXES), reason)
            for path in self.files.unused()
        ]

    def _name(self, row: Row) -> str:
        column = self.columns.case
        return tables.filled(row, column) if column else self.files.case(row)

    def label(self, row: Row) -> str | None:
        """The classes of a row, empty where they are not known; None where it is left out."""
        return self.label_of(row)

    def group(self, row: Row, case: str) -> str:
        """By the pattern, by the columns, or each case for itself."""
        if self.settings.group or not self.columns.group:
            return self.grouping(case)
        return "/".join([tables.filled(row, column) for column in self.groups])

    def partition(self, row: Row) -> str | None:
        """train, val, test, or empty where nobody says; None where it should be said and isn't."""
        column = self.columns.partition
        if column is None:
            return ""
        part = self.partition_of.get(row[column].casefold())
        if part is None:
            raise tables.unknown(column, row[column], row, self.partition_of)
        return part

    def votes(self, row: Row, label: str) -> int | None:
        """How many annotators chose the last class."""
        column, most = self.columns.votes, self.settings.annotators
        if column is None:
            return None
        votes = tables.number(row[column])
        if votes is None or not votes.is_integer() or votes < 0 or votes > (most or votes):
            allowed = [str(each) for each in range(most + 1)] if most else ["whole numbers from 0"]
            raise tables.unknown(column, row[column], row, allowed)
        positive = self.settings.classes[-1]
        if most and label and (votes > most / 2) != (label == positive):
            raise UserError(
                f"the label is {label}, but {votes:g} of {most} selected {positive}",
                where=row.where,
                remedy="correct one of the two",
            )
        return int(votes)

    def _files(self, row: Row, case: str) -> dict[str, str]:
        """The file of each channel; empty, with a problem, where one is missing or not sure."""
        found = self.files.found(row)
        for role, files in found.items():
            if len(files) == 1:
                continue
            wanted = self.files.wanted(row)
            of = f" as {role}" if len(wanted) > 1 else ""
            if files:
                what = f"which fits {len(files)} files: {', '.join(files[:3])}"
            else:
                what = "which is not there"
                self.first_missing = self.first_missing or wanted[role]
            reason = f"line {row.line} names {wanted[role]}{of}, {what}"
            self.problems.append(Problem(self.table, case, reason))
            return {}
        return {role: files[0] for role, files in found.items()}


def _partition_words(settings: IndexSettings) -> dict[str, str]:
    """The partition of each word of the partition column, in small letters."""
    words = settings.partitions or PARTITIONS
    return {
        word.casefold(): part
        for part, names in words.items()
        for word in ([names] if isinstance(names, str) else names)
    }


def _apart(cases: list[Case]) -> list[Case]:
    """Cases of one file name in several folders are called by their paths."""
    names = Counter(case.case for case in cases)
    if len(names) == len(cases):
        return cases
    return [_by_path(case) if names[case.case] > 1 else case for case in cases]


def _by_path(case: Case) -> Case:
    path = PurePosixPath(next(iter(case.files.values())))
    name = path.with_name(case.case).as_posix()
    return replace(case, case=name, group=name if case.group == case.case else case.group)


def _listed(columns: str | Iterable[str] | None) -> list[str]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, str) else list(columns)


def gather(paths: Sequence[str], how: Loading = USUAL) -> Found:
    """Each picture, each volume of one file, or the channels of each volume."""
    if how.channels:
        return volumes.gather(paths, how)
    whole = [path for path in paths if volume_files.is_volume(Path(path))]
    others = sorted(set(paths).difference(whole))
    cases, problems = picture_files.gather(others, how)
    return [*cases, *(Case(path, path, "", "", {IMAGE: path}) for path in whole)], problems


def beside(raw: Path, file: str) -> list[str]:
    """Other files that hold a part of a volume."""
    return [] if picture_files.is_picture(file) else volumes.beside(raw, file)


def load(raw: Path, files: Mapping[str, str], how: Loading = USUAL) -> np.ndarray:
    """A picture, or the channels of a volume in their order."""
    if IMAGE in files and not volume_files.is_volume(raw / files[IMAGE]):
        return picture_files.load(raw, files, how)
    return volumes.load(raw, files, how)
