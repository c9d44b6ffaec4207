"""What stands side by side in a picture: the arms of a study, or the classes of its chosen arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triage.figures import style
from triage.figures.runs import Arm, Member, Results
from triage.figures.settings import FigureSettings
from triage.task import Task


@dataclass(frozen=True)
class Panel:
    """An arm and one of its classes, by number; ``names`` are those of label 0 and label 1."""

    arm: Arm
    index: int
    title: str
    names: tuple[str, str]
    partition: str

    def value(self, metric: str) -> float:
        """The mean of a metric over the runs; NaN where it is undefined in all."""
        values = np.array([self._value(member, metric) for member in self.arm.members])
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def titled(self, metric: str, name: str) -> str:
        """The title with a metric's value, which a line break does not part."""
        value = self.value(metric)
        if np.isnan(value):
            return self.title
        return f"{self.title}: {name}\N{NO-BREAK SPACE}{value:.3f}"

    def _value(self, member: Member, metric: str) -> float:
        page = member.run.metrics["partitions"][self.partition]
        page = page.get("classes", {}).get(member.sample.classes[self.index], page)
        value = page["metrics"][metric]["value"]
        return float("nan") if value is None else float(value)


def panels(results: Results, settings: FigureSettings) -> list[Panel]:
    """A panel an arm; of several classes, a panel a class of the chosen arm."""
    if settings.task is not Task.BINARY:
        arm, many = results.winner, settings.task is Task.MULTILABEL
        names = ("absent", "present") if many else ("another class", "this class")
        return [
            Panel(arm, index, style.title(label), names, results.partition)
            for index, label in enumerate(arm.mean.classes)
        ]
    names = (settings.classes[0], settings.classes[-1])
    return [Panel(arm, 0, arm.name, names, results.partition) for arm in results.arms]
