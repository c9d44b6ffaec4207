"""Which cases a run trains on and validates with, and their targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.errors import UserError
from triage.files import each_row
from triage.task import Task, classes_of, unsure_of
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


def read_cases(
    lists: Iterable[Path], without: Iterable[str] = (), exclude_votes: Iterable[int] = ()
) -> Cases:
    """The cases of some parts of a split, but for those named ``without`` or with such votes."""
    unwanted, votes = set(without), {str(each) for each in exclude_votes}
    rows = sorted(
        (row["case"], row["label"])
        for path in lists
        for row in each_row(path, "split", ("case", "label", "votes"))
        if row["case"] not in unwanted and row["votes"] not in votes
    )
    return Cases(tuple(name for name, _ in rows), tuple(label for _, label in rows))


def read_parts(train: Path, val: Path, settings: TrainingSettings) -> Parts:
    """The cases of a run. Raises UserError for an unknown label or an empty training part."""
    recipe = settings.recipe
    lists = {"train": train, "val": val}
    learnt = read_cases(
        [lists[part] for part in recipe.train_on], exclude_votes=recipe.exclude_votes
    )
    seen = read_cases([val] if "val" not in recipe.train_on else [])
    for cases, where in ((learnt, train), (seen, val)):
        check_labels(cases, settings.classes, settings.task, where)
    if not len(learnt):
        raise UserError(
            f"has no case of the partition(s) {', '.join(recipe.train_on)} to train on",
            where=train,
            remedy="change the study's split, or recipe.exclude_votes",
        )
    return Parts(learnt, seen)


def check_labels(cases: Cases, classes: Sequence[str], task: Task, where: Path | str) -> None:
    """Raise UserError for a label that a study's ``task`` and ``classes`` do not have."""
    for name, label in zip(cases.names, cases.labels, strict=True):
        named = {*classes_of(label), *unsure_of(label)}
        if not (named <= {*classes} and task.allows(label)):
            several = "" if task.allows(label) else "one "
            raise UserError(
                f"case {name} has the label {label!r}",
                where=where,
                remedy=f"must be {several}of {', '.join(classes)}: change the study's"
                " classes or the data",
            )
