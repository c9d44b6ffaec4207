"""The arms of a study: each the mean over its runs, all measured on the same resamples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from triage.errors import UserError
from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.choices import Choices
from triage.evaluation.evaluate import EvaluationSettings
from triage.evaluation.metrics import METRICS, UNCALLED, columns
from triage.evaluation.samples import Floats, Sample, read_sample
from triage.evaluation.scoring import (
    ZERO_RATE,
    Macro,
    Values,
    main_sections,
    mean_of_defined,
    point_values,
    scopes_of,
)
from triage.files import read_json

RUN = re.compile(r"fold(\d+)-seed(\d+)")


@dataclass(frozen=True)
class Run:
    """One run: the content of its metrics.json, and its predictions on the part that is compared.

    ``sample`` is None where that part has no labelled case.
    """

    arm: str
    fold: int
    seed: int
    metrics: Mapping[str, Any]
    sample: Sample | None

    def value(self, partition: str, metric: str, point: str | None = None) -> float:
        """A metric as metrics.json has it, at ``point`` or among the main ones; NaN without one."""
        page = self.metrics["partitions"].get(partition) or {}
        if point:
            page = page.get("operating_points", {}).get(point, {})
        value = page.get("metrics", {}).get(metric, {}).get("value")
        return float("nan") if value is None else float(value)


@dataclass(frozen=True)
class Arm:
    """The metrics of an arm.

    ``samples``: those of the runs. By metric: ``values`` of each run, by (fold, seed); their
    ``means``, undefined where a run calls no case positive that should have a precision; and
    ``replicates`` of the mean in each resample [rounds].
    """

    name: str
    samples: tuple[Sample, ...]
    values: dict[str, dict[tuple[int, int], float]]
    means: dict[str, float]
    replicates: dict[str, Floats]

    @property
    def classes(self) -> int:
        """How many classes a metric is a mean over."""
        return len(self.samples[0].classes)


def read_runs(
    metrics: Sequence[Path], predictions: Sequence[Path], split: pd.DataFrame
) -> tuple[str, list[Run]]:
    """The part that runs are compared on, and the runs.

    That is the test part, or validation where no test case is labelled. ``metrics`` are
    ``<arm>/fold<k>-seed<n>.json``; ``predictions``, in the same order, the folders of that name;
    ``split`` has the groups of their cases. Raises UserError where a pair is not of one run.
    """
    runs = [_read_run(*pair, split, "test") for pair in zip(metrics, predictions, strict=True)]
    if any(run.sample for run in runs):
        return "test", runs
    pairs = zip(metrics, predictions, strict=True)
    return "val", [_read_run(*pair, split, "val") for pair in pairs]


def _read_run(metrics: Path, folder: Path, split: pd.DataFrame, partition: str) -> Run:
    name = RUN.fullmatch(metrics.stem)
    if not name or folder.parts[-2:] != (metrics.parent.name, metrics.stem):
        raise UserError(
            f"is not of the same run as {folder}",
            where=metrics,
            remedy="name metrics and predictions in the same order",
        )
    fold, seed = map(int, name.groups())
    sample = read_sample(folder / f"{partition}.csv", split)
    labelled = sample is not None and not np.isnan(sample.labels).all()
    return Run(metrics.parent.name, fold, seed, read_json(metrics), sample if labelled else None)


def measure_arms(runs: Sequence[Run], settings: EvaluationSettings) -> list[Arm]:
    """The arms of ``runs``, in order of appearance.

    Groups are drawn from those of all runs together, and every run has the same draw. So runs on
    the same cases stay paired, and folds that test different cases are drawn independently: the
    interval of an arm's mean comes from all its cases, though scores of models are never pooled.
    """
    return _measure(runs, main_sections(settings.operating_point), settings)


def zero_rate(runs: Sequence[Run], settings: EvaluationSettings) -> list[Arm]:
    """The zero-rate classifier as an arm, with one run a fold; none where no case is labelled."""
    folds = {run.fold: Run("zero_rate", run.fold, 0, run.metrics, run.sample) for run in runs}
    return _measure(list(folds.values()), dict.fromkeys(METRICS, ZERO_RATE), settings)


class _Measured:
    """A run, ready to be measured on resamples."""

    def __init__(self, run: Run, sample: Sample, sections: dict[str, str], bins: int) -> None:
        self.run, self.sample, self.sections = run, sample, sections
        choices = Choices.from_json(run.metrics["choices"])
        scopes = scopes_of(sample, choices, bins, tuple(dict.fromkeys(sections.values())))
        self.scopes = scopes[: len(sample.classes)]
        by_class = point_values(self.scopes)
        self.macro = Macro(self.scopes, by_class)
        self.points = {metric: float(value[0]) for metric, value in self._means(by_class).items()}
        self.reasons = {metric: self._reason(metric) for metric in sections}

    def values(self, weights: Floats) -> dict[str, Floats]:
        """The metrics [rounds], of the class or the mean over classes, for [rounds, cases]."""
        return self._means([scope.measure(columns(weights, scope.index)) for scope in self.scopes])

    def _reason(self, metric: str) -> str | None:
        """Why the run has no value of a metric, or None."""
        reasons = self.macro.reasons[self.sections[metric], metric]
        return UNCALLED if UNCALLED in reasons else None if None in reasons else reasons[0]

    def _means(self, by_class: list[Values]) -> dict[str, Floats]:
        found = self.macro.means(by_class)
        return {metric: found[section, metric] for metric, section in self.sections.items()}


def _measure(
    runs: Sequence[Run], sections: dict[str, str], settings: EvaluationSettings
) -> list[Arm]:
    tests = [_Measured(run, run.sample, sections, settings.bins) for run in runs if run.sample]
    names = list(dict.fromkeys(test.run.arm for test in tests))
    drawn = _resample(names, tests, settings) if tests else {}
    return [
        _arm(name, [test for test in tests if test.run.arm == name], drawn[name]) for name in names
    ]


def _resample(
    names: list[str], tests: list[_Measured], settings: EvaluationSettings
) -> dict[str, dict[str, Floats]]:
    """The mean over an arm's runs [rounds] of each metric, by arm and metric."""
    groups = codes(np.concatenate([test.sample.groups for test in tests]))
    own = np.split(groups, np.cumsum([len(test.sample.groups) for test in tests])[:-1])
    blocks: dict[str, list[dict[str, Floats]]] = {name: [] for name in names}
    width = max(len(each) for each in own)
    with threadpool_limits(1, "blas"):
        for counts in group_counts(
            int(groups.max()) + 1, settings.replicates, settings.seed, width
        ):
            for name in names:
                drawn = [
                    (test, test.values(columns(counts, group)))
                    for test, group in zip(tests, own, strict=True)
                    if test.run.arm == name
                ]
                blocks[name].append(_means(*zip(*drawn, strict=True)))
    return {
        name: {metric: np.concatenate([block[metric] for block in each]) for metric in each[0]}
        for name, each in blocks.items()
    }


def _arm(name: str, tests: list[_Measured], replicates: dict[str, Floats]) -> Arm:
    values = {
        metric: {(test.run.fold, test.run.seed): test.points[metric] for test in tests}
        for metric in replicates
    }
    own = [{metric: np.array([value]) for metric, value in test.points.items()} for test in tests]
    means = {metric: float(mean[0]) for metric, mean in _means(tests, own).items()}
    return Arm(name, tuple(test.sample for test in tests), values, means, replicates)


def _means(tests: Sequence[_Measured], values: Sequence[dict[str, Floats]]) -> dict[str, Floats]:
    """The mean over runs [rounds] of each metric."""
    return {
        metric: mean_of_defined(
            [test.points[metric] for test in tests],
            [each[metric] for each in values],
            [test.reasons[metric] for test in tests],
        )
        for metric in values[0]
    }
