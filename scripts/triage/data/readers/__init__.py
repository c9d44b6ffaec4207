"""Readers: each knows one layout of raw data, its label tables and how to decode its files.

A reader is a module with four functions (see ``Reader``). A study names its reader in
``params.yaml``; only that one is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, cast

from annotated_types import MinLen

from triage.command import log
from triage.constraints import Count, OneOf, Positive, Regex, Share, Text, Unique
from triage.data.patterns import Pattern
from triage.errors import UserError
from triage.task import Task

if TYPE_CHECKING:
    import numpy as np

READERS = {
    "table": "triage.data.readers.table",
    "volumes": "triage.data.readers.volumes",
    "folders": "triage.data.readers.folders",
    "nih": "triage.data.readers.nih",
    "annotations": "triage.data.readers.annotations",
}


SEQUENCES = ("T1", "T2", "T2-FLAIR")  # the channels of volumes where settings name none

Policy = Literal["ignore", "positive", "negative"]
Part = Annotated[str, OneOf(("train", "val", "test"))]
Several = Annotated[tuple[str, ...], MinLen(1), Unique()]
Words = Annotated[dict[str, str], MinLen(1)]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table say what."""

    file: str | Words | None = None
    """The path or name of a case's file; for several channels, the column of each."""
    pattern: str | None = None
    """In its place, the path with columns in braces, as images/{id}.jpg or
    {id}/{id}_{channel}.nii.gz; its last part may hold *."""
    case: str | None = None
    """The case's name, which else is the file's."""
    label: str | Several | Words | None = None
    """One column, or a column of 0 and 1 for each class."""
    separator: Text | None = None
    """What parts several classes in the one column."""
    group: str | Several | None = None
    """What is never split, of one or more columns."""
    partition: str | None = None
    """Which of the source's parts a case is in."""
    votes: str | None = None
    """How many annotators chose the last class."""


@dataclass(frozen=True)
class IndexSettings:
    """How raw files become cases. From ``table`` on, all is for the reader of that name.

    ``classes`` are in the order of their numbers.
    """

    reader: Annotated[str, OneOf(READERS)]
    """The layout of the raw data."""
    classes: tuple[str, ...]
    group: Annotated[str, Regex()] | None = None
    """Regular expression whose one group finds a patient's name in a case's; null takes the patient
    or lesion that a table names, or else each case as a group of its own."""
    max_quarantined: Share = 0.1
    """A larger share of unusable cases stops the run."""
    min_slices: Count = 1
    """Volumes with fewer slices can't be used."""
    task: Task = Task.BINARY
    table: Text | None = None
    """The table of labels, below the raw folder."""
    columns: Columns = Columns()
    values: dict[str, str] = field(default_factory=dict)
    """The class of each value of the label column."""
    leave_out: Annotated[tuple[str, ...], Unique()] = ()
    """Values of the label column whose rows are not used."""
    uncertain: Policy = "ignore"
    """What -1 means where each class has a column."""
    blank: Policy = "ignore"
    """What an empty cell means where each class has a column."""
    partitions: dict[Part, str | Several] = field(default_factory=dict)
    """The words for each partition."""
    attributes: Annotated[tuple[str, ...], Unique()] | dict[str, str] = ()
    """Columns to keep of each case, or the column of each attribute."""
    annotators: Count | None = None
    """How many voted."""
    channels: Annotated[tuple[Text, ...], Unique()] = ()
    """Of a volume, in their order."""
    external: bool = False
    """Whether a study is only tested on them: they need not have all of its classes, nor all of its
    withdrawn cases."""

    @property
    def attribute_columns(self) -> dict[str, str]:
        """The column of each attribute."""
        if isinstance(self.attributes, dict):
            return self.attributes
        return {name: name for name in self.attributes}


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How a reader decodes a case's files."""

    channels: Annotated[tuple[Text, ...], Unique()] = ()
    """Of a volume, in this order; none: all, as they come."""
    reference: Text | None = None
    """The channel of a volume whose grid the others are brought to; null takes the last."""
    spacing: tuple[Positive, Positive, Positive] | None = None
    """Of the reference grid along x, y and z in mm; null keeps its own."""
    window: Literal["voi", "full"] = "voi"
    """Grey values of DICOM pictures by the window of their header, if there is one, or all."""
    windows: tuple[tuple[float, float], ...] = ()
    """Least and greatest value of each channel that a volume of one channel is made into, as
    windows of CT are."""


USUAL = Loading()


@dataclass(slots=True)
class Case:
    """What a label belongs to. ``files``: role -> path (a file or folder) below the raw folder."""

    case: str
    group: str
    label: str
    partition: str
    files: Mapping[str, str]
    votes: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something among the raw files that can't be used. ``case`` is empty where none is meant."""

    file: str
    case: str
    reason: str

    def row(self) -> dict[str, str]:
        """Of a table of problems."""
        return {"file": self.file, "case": self.case, "reason": self.reason}


class BadFile(Exception):
    """A file that can't be used: ``file`` (relative to the raw folder) and the ``reason``."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason


Found = tuple[list[Case], list[Problem]]
"""Cases, and what is wrong with the rest."""


class Reader(Protocol):
    """What a reader's module offers."""

    def find(self, raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
        """The cases among ``paths`` (all files below ``raw``) and what is wrong with the rest.

        Raises UserError where the layout or the labels can't be trusted.
        """

    def gather(self, paths: Sequence[str], how: Loading = USUAL) -> Found:
        """The unlabelled cases among ``paths`` in no particular layout, named by their path."""

    def beside(self, raw: Path, file: str) -> list[str]:
        """Other files below ``raw`` that hold a part of what is in ``file`` of a case.

        Those that are not there count too; a damaged file has none.
        """

    def load(self, raw: Path, files: Mapping[str, str], how: Loading = USUAL) -> np.ndarray:
        """A case's image, [slices, channels, height, width], in the narrowest lossless dtype.

        Raises BadFile.
        """


def reader(name: str) -> Reader:
    """The reader called ``name``. Raises UserError if there is none."""
    if name not in READERS:
        raise UserError(
            f"there is no reader {name!r}", where="reader", remedy=f"known are {', '.join(READERS)}"
        )
    return cast(Reader, importlib.import_module(READERS[name]))


_REMEDY = r"must have one pair of (), around what names the patient, as in ^(.+)-S\d+$"


class Grouping:
    """Finds the group (the patient) of a case in the case's name."""

    def __init__(self, pattern: str | None) -> None:
        self._text = pattern
        self._pattern = Pattern(pattern, "settings.group", _REMEDY) if pattern else None
        if self._pattern and self._pattern.groups != 1:
            what = f"{pattern!r} has {self._pattern.groups} groups"
            raise UserError(what, where="settings.group", remedy=_REMEDY)

    def __call__(self, case: str) -> str:
        """The group of ``case``: the case itself where the pattern finds none."""
        found = self._pattern.search(case) if self._pattern else None
        return found[1] if found and found[1] else case

    def check(self, cases: Sequence[str]) -> None:
        """Raise UserError where the pattern fits none of the names, warn where it fits few."""
        if self._pattern is None or not cases:
            return
        others = [case for case in cases if not self._pattern.search(case)]
        if len(others) == len(cases):
            raise UserError(
                f"{self._text!r} finds no group in any of {len(cases)} names, such as {others[0]}",
                where="index.group",
                remedy="correct the pattern, or set it to null: each case is a group then",
            )
        if len(others) * 2 > len(cases):
            log.warning(
                "warning: index.group finds no group in %d of %d names, such as %s: each of these"
                " is a group of its own",
                *(len(others), len(cases), others[0]),
            )
