"""What stands side by side in a picture: the arms of a study, or the classes of its chosen arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from triage.evaluation.arms import Arm as Measured
from triage.evaluation.intervals import Estimate
from triage.figures.runs import Arm, Member, Results
from triage.figures.settings import FigureSettings
from triage.task import Task


@dataclass(frozen=True)
class Panel:
    """An arm and one of its classes, by number; ``names`` are those of label 0 and label 1.

    ``means`` over the runs have the intervals of the study's table, where they are known.
    """

    arm: Arm
    index: int
    title: str
    names: tuple[str, str]
    partition: str
    means: Mapping[str, Estimate] = field(default_factory=dict)

    def titled(self, metric: str, name: str) -> str:
        """The title with a metric's value and interval, which a line break does not part."""
        if metric in self.means:
            found = self.means[metric]
            numbers = np.array([found.value, found.low, found.high])
        else:
            numbers = np.mean(
                [self._numbers(member, metric) for member in self.arm.members], axis=0
            )
        if np.isnan(numbers).any():
            return self.title
        value, low, high = numbers
        gap = "\N{NO-BREAK SPACE}"
        name = name.replace("ROC ", f"ROC{gap}")
        return f"{self.title}: {name}{gap}{value:.3f}{gap}({low:.2f}\N{EN DASH}{high:.2f})"

    def _numbers(self, member: Member, metric: str) -> np.ndarray:
        """The value of a run, and its limits, which of several runs are at least as far apart."""
        page = member.run.metrics["partitions"][self.partition]
        page = page.get("classes", {}).get(member.sample.classes[self.index], page)
        estimate = page["metrics"][metric]
        return np.array([estimate[key] for key in ("value", "low", "high")], dtype=float)


def panels(
    results: Results, settings: FigureSettings, measured: Mapping[str, Measured] | None = None
) -> list[Panel]:
    """A panel an arm; of several classes, a panel a class of the chosen arm: those of which a case
    has a label.

    ``measured``: the arms as the study's table has them.
    """
    if settings.task is not Task.BINARY:
        arm, many = results.winner, settings.task is Task.MULTILABEL
        names = ("absent", "present") if many else ("another class", "this class")
        return [
            Panel(arm, index, label, names, results.partition)
            for index, label in enumerate(arm.mean.classes)
            if arm.known(index)
        ]
    names = (settings.classes[0], settings.classes[-1])
    known = {name: arm.means for name, arm in (measured or {}).items()}
    return [
        Panel(arm, 0, arm.name, names, results.partition, known.get(arm.name, {}))
        for arm in results.arms
    ]
