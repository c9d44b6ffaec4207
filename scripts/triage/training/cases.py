"""Which cases a run trains on and validates with, and their targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.errors import UserError
from triage.files import each_row
from triage.task import classes_of, unsure_of
from triage.training.settings import TrainingSettings


@dataclass(frozen=True)
class Cases:
    """Cases sorted by name, with their labels as the split has them."""

    names: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def first(self, count: int) -> Cases:
        """The first ``count`` of them."""
        return Cases(self.names[:count], self.labels[:count])

    def targets(self, outputs: Sequence[str]) -> NDArray[np.float32]:
        """1, 0 or, where the label is unknown, NaN: [cases, outputs]."""
        targets = np.full((len(self), len(outputs)), np.nan, np.float32)
        for i, label in enumerate(self.labels):
            if label:
                present, unsure = classes_of(label), unsure_of(label)
                targets[i] = [
                    np.nan if output in unsure else output in present for output in outputs
                ]
        return targets


@dataclass(frozen=True)
class Parts:
    """The training and the validation cases of a run."""

    train: Cases
    val: Cases

    @property
    def names(self) -> list[str]:
        return sorted({*self.train.names, *self.val.names})


def read_cases(split: Path, partitions: Iterable[str], without: Iterable[str] = ()) -> Cases:
    """The cases of some partitions of a split, but for those that ``without`` names."""
    wanted, unwanted = set(partitions), set(without)
    rows = sorted(
        (row["case"], row["label"])
        for row in each_row(split)
        if row["partition"] in wanted and row["case"] not in unwanted
    )
    return Cases(tuple(name for name, _ in rows), tuple(label for _, label in rows))


def read_parts(split: Path, manifest: Path, settings: TrainingSettings) -> Parts:
    """The cases of a run. Raises UserError for an unknown label or an empty training part."""
    recipe = settings.recipe
    ambiguous = _cases_with_votes(manifest, recipe.exclude_votes)
    train = read_cases(split, recipe.train_on, without=ambiguous)
    val = read_cases(split, {"val"} - set(recipe.train_on))
    for cases in (train, val):
        _check_labels(cases, settings, split)
    if not len(train):
        raise UserError(
            f"has no case of the partition(s) {', '.join(recipe.train_on)} to train on",
            where=split,
            remedy="change the study's split, or recipe.exclude_votes",
        )
    return Parts(train, val)


def _cases_with_votes(manifest: Path, votes: Sequence[int]) -> set[str]:
    if not votes:
        return set()
    wanted = {str(each) for each in votes}
    return {row["case"] for row in each_row(manifest) if row["votes"] in wanted}


def _check_labels(cases: Cases, settings: TrainingSettings, where: Path) -> None:
    known = set(settings.classes)
    for name, label in zip(cases.names, cases.labels, strict=True):
        named = {*classes_of(label), *unsure_of(label)}
        if not (named <= known and settings.task.allows(label)):
            several = "" if settings.task.allows(label) else "one "
            raise UserError(
                f"case {name} has the label {label!r}",
                where=where,
                remedy=f"must be {several}of {', '.join(settings.classes)}: change the study's"
                " classes or the data",
            )
