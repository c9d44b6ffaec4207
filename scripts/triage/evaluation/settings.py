"""The settings of evaluation, apart from what computes: the workflow reads them at each start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from triage.constraints import Seed
from triage.task import Task

Point = Literal["half", "youden", "sensitivity", "argmax"]
ARGMAX: Point = "argmax"  # of classes that exclude each other the likeliest, without thresholds


@dataclass(frozen=True)
class EvaluationSettings:
    """How predictions are judged."""

    replicates: Annotated[int, Ge(100)] = 2000
    """Bootstrap rounds of the intervals."""
    confidence: Annotated[float, Gt(0.5), Lt(1)] = 0.95
    """Of the intervals; arms are told apart by p-values below 1 - confidence."""
    sensitivity: Annotated[float, Gt(0), Le(1)] = 0.9
    """What the operating point of that name reaches on validation, at least."""
    seed: Seed = 1
    """Of the bootstrap."""
    bins: Annotated[int, Ge(2)] = 10
    """Of the reliability curve and the calibration error."""
    operating_point: Literal["half", "youden", "sensitivity"] = "youden"
    """Decides between positive and negative in the main metrics."""
    ordinal: bool = False
    """Whether classes that exclude each other are in an order; then kappa is also quadratic."""
    task: Task = Task.BINARY
    classes: tuple[str, ...] = ()

    @property
    def point(self) -> Point:
        """The operating point; classes that exclude each other have but one."""
        return ARGMAX if self.task is Task.MULTICLASS else self.operating_point

    @property
    def order(self) -> tuple[str, ...]:
        """The classes in their order, if they have one."""
        return self.classes if self.ordinal else ()
