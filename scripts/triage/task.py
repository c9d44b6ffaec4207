"""What a study asks of each case, decided here: everything else asks its ``Task``.

binary: one of two classes, of which the last is the positive one. multiclass: one of any number of
classes. multilabel: any number of classes at once, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from triage.errors import UserError

Floats = NDArray[np.float64]
SEPARATOR = "|"  # between the classes of a case that has several
UNSURE = "?"  # ahead of a class that a case may have or not
NONE = "(none)"  # the label of a case that is known to have none of the classes


def classes_of(label: str) -> list[str]:
    """The classes that a case certainly has, by its label."""
    return [name for name in label.split(SEPARATOR) if name not in ("", NONE) and name[0] != UNSURE]


def unsure_of(label: str) -> list[str]:
    """The classes of which it is not known whether a labelled case has them."""
    return [name[1:] for name in label.split(SEPARATOR) if name.startswith(UNSURE)]


class Task(StrEnum):
    """How the classes of a study exclude each other.

    A logit as tables have it is the logarithm of the odds of a class for itself, or, where classes
    exclude each other, of its probability.
    """

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"

    def outputs(self, classes: Sequence[str]) -> tuple[str, ...]:
        """The classes that have a logit: all, or of two the last, positive one."""
        return tuple(classes[-1:] if self is Task.BINARY else classes)

    def check(self, classes: Sequence[str], where: str) -> None:
        """Raise UserError where a study can't have so many classes."""
        if self is Task.BINARY and len(classes) != 2:
            raise UserError(
                f"{len(classes)} classes",
                where=where,
                remedy="name two, the positive one last, or set task: multiclass (each case has "
                "one class) or multilabel (a case may have several)",
            )

    def allows(self, label: str) -> bool:
        """Whether a case may have this label, in which SEPARATOR stands between classes."""
        return self is Task.MULTILABEL or SEPARATOR not in label

    def logits(self, raw: Floats) -> Floats:
        """What a network gives [..., outputs], as tables have it."""
        if self is not Task.MULTICLASS:
            return raw
        return np.asarray(raw - np.logaddexp.reduce(raw, axis=-1, keepdims=True))

    def probabilities(self, logits: Floats) -> Floats:
        """Of logits [...] as tables have them."""
        return np.exp(logits if self is Task.MULTICLASS else -np.logaddexp(0, -logits))

    def pooled(self, logits: Floats) -> Floats:
        """The logits [cases, outputs] of the mean probabilities over some [cases, some, outputs].

        Computed in logarithms, so that sure predictions stay finite.
        """
        logits = self.logits(logits)
        if logits.shape[1] == 1:
            return logits[:, 0]
        if self is Task.MULTICLASS:
            total = np.logaddexp.reduce(logits, axis=1)
            return np.asarray(total - np.log(logits.shape[1]))
        yes = -np.logaddexp(0, -logits)
        no = -np.logaddexp(0, logits)
        return np.asarray(np.logaddexp.reduce(yes, axis=1) - np.logaddexp.reduce(no, axis=1))
