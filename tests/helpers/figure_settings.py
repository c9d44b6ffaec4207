"""Settings and members of runs of which pictures are drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import results_tree
from triage.evaluation.arms import Run
from triage.evaluation.samples import Sample
from triage.figures import runs
from triage.figures.settings import FigureSettings
from triage.task import Task

SETTINGS = FigureSettings(
    classes=("no", "yes"),
    task=Task.BINARY,
    cases=4,
    confidence=0.95,
    replicates=100,
    seed=results_tree.EVALUATION.seed,
    bins=10,
    pseudonyms=False,
    compared=None,
)


def member(
    labels: Sequence[float], probabilities: Sequence[float], threshold: float = 0.5, fold: int = 0
) -> runs.Member:
    """A run on cases of its fold, two of them a group."""
    prefix = f"{fold}-" if fold else ""
    names = np.array([f"{prefix}c{i}" for i in range(len(labels))])
    groups = np.array([f"{prefix}g{i // 2}" for i in range(len(labels))])
    column = np.array(probabilities, float)[:, None]
    truth = np.array(labels, float)[:, None]
    logits = np.log(column / (1 - column))
    sample = Sample(names, groups, ("yes",), truth, logits, column)
    choices = {"yes": {"operating_points": {"half": {"threshold": threshold}}}}
    return runs.Member(
        Run("a", fold, 1, {"choices": choices, "operating_point": "half"}, sample), sample
    )
