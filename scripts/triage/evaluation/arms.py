"""The arms of a study: each the mean over its runs, all measured on the same resamples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from triage.errors import UserError
from triage.evaluation.choices import Choices
from triage.evaluation.intervals import Estimate, mean
from triage.evaluation.samples import Sample, read_sample
from triage.evaluation.scoring import ZERO_RATE, main_sections, measure, prepare
from triage.evaluation.settings import EvaluationSettings
from triage.files import read_json
from triage.runs import ALL, Place, places


@dataclass(frozen=True)
class Run:
    """One run: the content of its metrics.json, and its predictions on the part that is compared.

    ``sample`` is None where that part has no labelled case.
    """

    arm: str
    fold: Place
    seed: Place
    metrics: Mapping[str, Any]
    sample: Sample | None

    @property
    def places(self) -> list[tuple[Place, Place]]:
        """The folds and seeds of its networks: its own, or those that an ensemble is over."""
        members = (name.rpartition("/")[2] for name in self.metrics.get("members", ()))
        return [found for name in members if (found := places(name))] or [(self.fold, self.seed)]

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

    ``samples``: those of the runs. By metric: ``values`` of each run, by (fold, seed), and the
    ``means`` over them, undefined where a run calls no case positive that should have a precision.
    """

    name: str
    samples: tuple[Sample, ...]
    values: dict[str, dict[tuple[Place, Place], float]]
    means: dict[str, Estimate]

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
    runs = runs_on("test", metrics, predictions, split)
    if any(run.sample for run in runs):
        return "test", runs
    return "val", runs_on("val", metrics, predictions, split)


def runs_on(
    partition: str, metrics: Sequence[Path], predictions: Sequence[Path], split: pd.DataFrame
) -> list[Run]:
    """The runs as ``read_runs`` has them, on this part: external/<name> of an external set."""
    pairs = zip(metrics, predictions, strict=True)
    return [_read_run(*pair, split, partition) for pair in pairs]


def _read_run(metrics: Path, folder: Path, split: pd.DataFrame, partition: str) -> Run:
    name = places(metrics.stem)
    if not name or folder.parts[-2:] != (metrics.parent.name, metrics.stem):
        raise UserError(
            f"is not of the same run as {folder}",
            where=metrics,
            remedy="name metrics and predictions in the same order",
        )
    sample = read_sample(folder / f"{partition}.csv", split)
    labelled = sample is not None and not np.isnan(sample.labels).all()
    return Run(metrics.parent.name, *name, read_json(metrics), sample if labelled else None)


def measure_arms(runs: Sequence[Run], settings: EvaluationSettings) -> list[Arm]:
    """The arms of ``runs``, in order of appearance.

    Groups are drawn from those of all runs together, and every run has the same draw. So runs on
    the same cases stay paired, and folds that test different cases are drawn independently: the
    interval of an arm's mean comes from all its cases, though scores of models are never pooled.
    """
    return _measure(runs, main_sections(settings.point, settings.ordinal), settings)


def zero_rate(runs: Sequence[Run], settings: EvaluationSettings) -> list[Arm]:
    """The zero-rate classifier as an arm, with one run a fold; none where no case is labelled."""
    folds = {
        run.fold: Run("zero_rate", run.fold, 0, run.metrics, run.sample)
        for run in runs
        if run.fold != ALL
    }
    sections = main_sections(settings.point, settings.ordinal)
    return _measure(list(folds.values()), dict.fromkeys(sections, ZERO_RATE), settings)


def _measure(
    runs: Sequence[Run], sections: dict[str, str], settings: EvaluationSettings
) -> list[Arm]:
    measured = [(run, run.sample) for run in runs if run.sample]
    names = np.unique([name for _, sample in measured for name in sample.groups])
    found: dict[str, dict[tuple[Place, Place], dict[str, Estimate]]] = {}
    for run, sample in measured:
        estimates = _estimates(run, sample, names, sections, settings)
        found.setdefault(run.arm, {})[run.fold, run.seed] = estimates
    samples: dict[str, list[Sample]] = {}
    for run, sample in measured:
        samples.setdefault(run.arm, []).append(sample)
    return [_arm(name, samples[name], by_run, sections) for name, by_run in found.items()]


def _arm(
    name: str,
    samples: Sequence[Sample],
    by_run: dict[tuple[Place, Place], dict[str, Estimate]],
    metrics: Iterable[str],
) -> Arm:
    values, means = {}, {}
    for metric in metrics:
        values[metric] = {place: each[metric].value for place, each in by_run.items()}
        means[metric] = mean(metric, {str(key): each[metric] for key, each in by_run.items()}, 1)
    return Arm(name, tuple(samples), values, means)


def _estimates(
    run: Run,
    sample: Sample,
    names: npt.NDArray[np.str_],
    sections: dict[str, str],
    settings: EvaluationSettings,
) -> dict[str, Estimate]:
    """The metrics of a run, of its class or over its classes, on resamples of all groups."""
    choices = Choices.from_json(run.metrics["choices"])
    groups = np.searchsorted(names, sample.groups)
    wanted = tuple(dict.fromkeys(sections.values()))
    prepared = prepare(sample, choices, settings.bins, wanted, groups)
    found = measure(prepared, len(names), settings)
    return {metric: found.overall[section, metric] for metric, section in sections.items()}
