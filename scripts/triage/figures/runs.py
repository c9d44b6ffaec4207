"""The runs of a study, by arm, as the pictures need them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from triage.evaluation.arms import Run, read_runs
from triage.evaluation.samples import Bools, Floats, Sample
from triage.evaluation.settings import ARGMAX
from triage.files import read_json, read_table

MOST_ARMS = 24  # in a picture


@dataclass(frozen=True)
class Member:
    """A run of an arm with its labelled cases."""

    run: Run
    sample: Sample

    def margins(self, index: int) -> Floats:
        """How far the cases [cases] lie on the side on which class number ``index`` is called.

        Above its threshold at the run's operating point or, where classes exclude each other, above
        the likeliest other class.
        """
        own, point = self.sample.probabilities[:, index], self.run.metrics["operating_point"]
        if point == ARGMAX:
            return own - np.delete(self.sample.probabilities, index, axis=1).max(axis=1)
        return np.asarray(own - float(self.threshold(index) or 0))

    def threshold(self, index: int) -> float | None:
        """The threshold of class number ``index``; None where classes exclude each other."""
        choices = self.run.metrics["choices"][self.sample.classes[index]]
        point = choices["operating_points"].get(self.run.metrics["operating_point"])
        return float(point["threshold"]) if point else None

    def known(self, index: int) -> Sample:
        """The cases whose label of class number ``index`` is known."""
        return self.sample.subset(~np.isnan(self.sample.labels[:, index]))


@dataclass(frozen=True)
class Arm:
    """All runs of one arm on the same partition."""

    name: str
    members: tuple[Member, ...]

    @cached_property
    def mean(self) -> Sample:
        """One row a case: the mean probability (and logit) of the runs that predicted it."""
        samples = [member.sample for member in self.members]
        names = _joined(samples, "cases")
        first = np.unique(names, return_index=True)[1]
        return dataclasses.replace(
            samples[0],
            cases=names[first],
            groups=_joined(samples, "groups")[first],
            labels=_joined(samples, "labels")[first],
            logits=self._averaged([sample.logits for sample in samples]),
            probabilities=self._averaged([sample.probabilities for sample in samples]),
        )

    def known(self, index: int) -> list[Sample]:
        """``Member.known`` of the runs that have a case whose label of that class is known."""
        samples = [member.known(index) for member in self.members]
        return [sample for sample in samples if len(sample.cases)]

    def margins(self, index: int) -> Floats:
        """The mean of ``Member.margins`` over the runs that predicted a case [cases]."""
        return self._averaged([member.margins(index) for member in self.members])

    def wrong(self, index: int) -> Bools:
        """Which cases of ``mean`` have a known label, and a margin on the other side [cases]."""
        labels = self.mean.labels[:, index]
        return ~np.isnan(labels) & ((self.margins(index) > 0) != (labels == 1))

    def _averaged(self, values: Sequence[Floats]) -> Floats:
        """The mean over the runs of their ``values``, for each case of ``mean``."""
        joined, counts = np.concatenate(values), np.bincount(self._places)
        totals = np.zeros((len(counts), *joined.shape[1:]))
        np.add.at(totals, self._places, joined)
        return np.asarray((totals.T / counts).T)

    @cached_property
    def _places(self) -> np.ndarray:
        """Where in ``mean`` each case of each run is."""
        names = _joined([member.sample for member in self.members], "cases")
        return np.unique(names, return_inverse=True)[1]

    @property
    def validation(self) -> float:
        """The mean ROC AUC of the runs on validation; -1 where it is undefined."""
        values = [member.run.value("val", "roc_auc") for member in self.members]
        return float(np.nan_to_num(np.mean(values), nan=-1.0))


@dataclass(frozen=True)
class Results:
    """The arms of a study in the order of their files, on one partition, and the chosen one.

    ``runs``: those of all arms. ``left_out``: how many more arms there are than a picture can hold.
    """

    partition: str
    arms: tuple[Arm, ...]
    winner: Arm
    runs: tuple[Run, ...]
    left_out: int = 0


def read_results(
    metrics: Sequence[Path], predictions: Sequence[Path], parts: Iterable[Path], winner: Path
) -> Results | None:
    """All runs on the test part, or on validation where no test case is labelled.

    ``metrics`` are the runs' files and ``predictions`` their folders, in the same order; ``parts``
    list the cases. Of very many arms the best on validation are kept. None where no case is
    labelled at all.
    """
    split = pd.concat([read_table(path, ["case", "group"]) for path in parts])
    partition, runs = read_runs(metrics, predictions, split.drop_duplicates("case"))
    arms: dict[str, list[Member]] = {}
    for run in runs:
        if run.sample is None:
            continue
        known = np.asarray(~np.isnan(run.sample.labels).all(axis=1))
        if known.any():
            arms.setdefault(run.arm, []).append(Member(run, run.sample.subset(known)))
    if not arms:
        return None
    found = [Arm(name, tuple(members)) for name, members in arms.items()]
    name = read_json(winner)["arm"]
    chosen = next((arm for arm in found if arm.name == name), found[0])
    ranked = sorted(found, key=lambda arm: (arm is not chosen, -arm.validation))
    kept = {arm.name for arm in ranked[:MOST_ARMS]}
    shown = tuple(arm for arm in found if arm.name in kept)
    return Results(partition, shown, chosen, tuple(runs), len(found) - len(shown))


def _joined(samples: Sequence[Sample], name: str) -> np.ndarray:
    return np.concatenate([getattr(sample, name) for sample in samples])
