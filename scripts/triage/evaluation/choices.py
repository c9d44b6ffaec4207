"""What the training and validation parts choose. The test part only ever has it applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from triage.evaluation.calibration import Temperature, fit_shared_temperature, fit_temperature
from triage.evaluation.operating import (
    NO_VALIDATION,
    POINTS,
    Threshold,
    choose,
    decide,
    likeliest,
)
from triage.evaluation.samples import Bools, Floats, Sample
from triage.evaluation.settings import ARGMAX, Point
from triage.task import Task, classes_of, unsure_of


@dataclass(frozen=True)
class Choices:
    """One threshold a class for each operating point, one temperature and one prior a class.

    Classes that exclude each other have no thresholds, and all the same temperature. A prior is the
    share of positives among the training cases, which is all that the zero-rate classifier knows;
    None where no training case is labelled.
    """

    classes: tuple[str, ...]
    thresholds: dict[Point, list[Threshold]]
    temperatures: list[Temperature]
    priors: list[float | None]

    @property
    def exclusive(self) -> bool:
        """Whether a case has exactly one of the classes."""
        return not self.thresholds and bool(self.classes)

    @property
    def points(self) -> tuple[Point, ...]:
        """The operating points."""
        return (ARGMAX,) if self.exclusive else POINTS

    def decide(self, probabilities: Floats, point: Point) -> Bools:
        """Which classes are called [cases, classes] at an operating point."""
        if point == ARGMAX:
            return likeliest(probabilities)
        return decide(probabilities, self.thresholds[point])

    def calibrated(self, logits: Floats) -> Floats:
        """Probabilities [cases, classes] at the temperatures; those of 1 where there is none."""
        found = np.array([each.temperature for each in self.temperatures], dtype=float)
        task = Task.MULTICLASS if self.exclusive else Task.MULTILABEL
        return task.probabilities(task.logits(logits / np.nan_to_num(found, nan=1)))

    def as_json(self) -> dict[str, Any]:
        """The choices by class, as plain data."""
        return {
            name: {
                "operating_points": {
                    point: asdict(each[column]) for point, each in self.thresholds.items()
                },
                "calibration": asdict(self.temperatures[column]),
                "zero_rate": {"prior": self.priors[column]},
            }
            for column, name in enumerate(self.classes)
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Choices:
        """The choices that ``as_json`` wrote."""
        return Choices(
            tuple(content),
            {
                point: [Threshold(**each["operating_points"][point]) for each in content.values()]
                for point in POINTS
                if all(point in each["operating_points"] for each in content.values())
            },
            [Temperature(**each["calibration"]) for each in content.values()],
            [each["zero_rate"]["prior"] for each in content.values()],
        )


def choices_of(
    val: Sample | None,
    split: pd.DataFrame,
    classes: tuple[str, ...],
    sensitivity: float,
    exclusive: bool = False,
) -> Choices:
    """The choices of one run: thresholds and temperatures from ``val``, priors from ``split``."""
    if exclusive:
        together = Temperature(None, NO_VALIDATION)
        if val:
            known = ~np.isnan(val.labels).any(axis=1)
            together = fit_shared_temperature(val.labels[known], val.logits[known])
        return Choices(classes, {}, [together] * len(classes), priors(split, classes))
    return Choices(
        classes,
        choose(val, classes, sensitivity),
        [_temperature(val, column) for column in range(len(classes))],
        priors(split, classes),
    )


def priors(split: pd.DataFrame, classes: tuple[str, ...]) -> list[float | None]:
    """The share of training cases of ``split`` that carry each class, among the labelled ones."""
    training = split[split["partition"] == "train"]["label"].dropna().astype(str)
    carried = [(classes_of(label), unsure_of(label)) for label in training if label]
    found: list[float | None] = []
    for name in classes:
        known = [name in certain for certain, unsure in carried if name not in unsure]
        found.append(float(np.mean(known)) if known else None)
    return found


def _temperature(val: Sample | None, column: int) -> Temperature:
    if val is None:
        return Temperature(None, NO_VALIDATION)
    known: npt.NDArray[np.bool_] = ~np.isnan(val.labels[:, column])
    return fit_temperature(val.labels[known, column], val.logits[known, column])
