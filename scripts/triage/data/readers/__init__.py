"""Readers: each knows one layout of raw data, its label tables and how to decode its files.

A reader is a module with four functions (see ``Reader``). A study names its reader in
``params.yaml``; only that one is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from triage.data.patterns import Pattern
from triage.errors import UserError
from triage.task import Task

if TYPE_CHECKING:
    import numpy as np

READERS = {
    "volumes": "triage.data.readers.volumes",
    "folders": "triage.data.readers.folders",
    "nih": "triage.data.readers.nih",
    "annotations": "triage.data.readers.annotations",
}


@dataclass(frozen=True)
class IndexSettings:
    """What the index reads of ``params.yaml``.

    classes: in the order of their numbers. group: a regular expression with one group that finds
    a patient's name in a case's; None takes the patient or lesion that a table names, or else each
    case as a group of its own. max_quarantined: the largest share of cases that may be bad, 0 to 1.
    min_slices: cases of fewer slices are bad.
    """

    reader: str
    classes: tuple[str, ...]
    group: str | None
    max_quarantined: float
    min_slices: int
    task: Task = Task.BINARY


@dataclass(frozen=True, slots=True)
class Case:
    """What a label belongs to. ``files``: role -> path (a file or folder) below the raw folder."""

    case: str
    group: str
    label: str
    partition: str
    files: Mapping[str, str]
    votes: int | None = None
    age: float | None = None
    sex: str = ""


@dataclass(frozen=True)
class Problem:
    """Something among the raw files that can't be used. ``case`` is empty where none is meant."""

    file: str
    case: str
    reason: str


class BadFile(Exception):
    """A file that can't be used: ``file`` (relative to the raw folder) and the ``reason``."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file = file
        self.reason = reason


class Reader(Protocol):
    """What a reader's module offers."""

    def find(
        self, raw: Path, paths: Sequence[str], settings: IndexSettings
    ) -> tuple[list[Case], list[Problem]]:
        """The cases among ``paths`` (all files below ``raw``) and what is wrong with the rest.

        Raises UserError where the layout or the labels can't be trusted.
        """

    def gather(self, paths: Sequence[str]) -> tuple[list[Case], list[Problem]]:
        """The unlabelled cases among ``paths`` in no particular layout, named by their path."""

    def beside(self, raw: Path, file: str) -> list[str]:
        """Other files below ``raw`` that hold a part of what is in ``file`` of a case.

        Those that are not there count too; a damaged file has none.
        """

    def load(self, raw: Path, files: Mapping[str, str]) -> np.ndarray:
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
        self._pattern = Pattern(pattern, "settings.group", _REMEDY) if pattern else None
        if self._pattern and self._pattern.groups != 1:
            what = f"{pattern!r} has {self._pattern.groups} groups"
            raise UserError(what, where="settings.group", remedy=_REMEDY)

    def __call__(self, case: str) -> str:
        """The group of ``case``: the case itself where the pattern finds none."""
        found = self._pattern.search(case) if self._pattern else None
        return found[1] if found and found[1] else case
