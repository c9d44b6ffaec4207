"""How often the intervals of the evaluation hold the truth, in simulated studies.

python benchmarks/bench_coverage.py [--repetitions 300] [--rounds 300] [--only binary|classes|arms]

Scores of both classes are normal, so that the truth of most metrics is known by formula, and of the
others from half a million cases. Each repetition is evaluated by the function that evaluates runs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import pandas as pd

import bench
from triage.evaluation.arms import Run, measure_arms
from triage.evaluation.choices import choices_of
from triage.evaluation.comparison import compare_arms
from triage.evaluation.evaluate import summarise
from triage.evaluation.metrics import DECISION, METRICS, Decision, Probability, Ranking, ones
from triage.evaluation.samples import Sample
from triage.evaluation.settings import EvaluationSettings
from triage.task import Task

NORMAL = NormalDist()
LARGE = 500_000


@dataclass(frozen=True)
class Setting:
    """A study: its cases by class, the true ROC AUC, and how alike the images of a patient are.

    ``alike`` is the share of a score's variance that a patient's ``images`` have in common.
    """

    name: str
    positives: int
    negatives: int
    auc: float
    images: int = 1
    alike: float = 0.0

    def draw(
        self, rng: np.random.Generator, times: int = 1
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, logits that are calibrated, and patients of a sample, or of a large one."""
        sizes = (self.positives * times, self.negatives * times)
        labels = np.repeat([1.0, 0.0], sizes)
        patients = np.concatenate([np.arange(size) // self.images for size in sizes])
        patients[labels == 0] += patients[: sizes[0]].max() + 1
        shared = rng.normal(0, np.sqrt(self.alike), patients.max() + 1)[patients]
        noise = rng.normal(0, np.sqrt(1 - self.alike), len(labels))
        return labels, self.logits(self.apart * labels + shared + noise), patients

    @property
    def apart(self) -> float:
        """How far the means of the classes are apart, in deviations."""
        return float(np.sqrt(2) * NORMAL.inv_cdf(self.auc))

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated logits of scores that are normal with deviation 1 in each class."""
        prior = np.log(self.positives / self.negatives)
        return self.apart * (scores - self.apart / 2) + prior

    @property
    def threshold(self) -> float:
        """Halfway between the classes, as a probability."""
        return self.positives / (self.positives + self.negatives)

    def truth(self) -> dict[str, float]:
        """Every metric of this model, from a large sample."""
        labels, logits, _ = self.draw(
            np.random.default_rng(1), LARGE // (self.positives + self.negatives)
        )
        probabilities = 1 / (1 + np.exp(-logits))
        measures = (
            Ranking(labels, probabilities),
            Decision(labels, probabilities > self.threshold),
            Probability(labels, probabilities, EvaluationSettings().bins),
        )
        found: dict[str, np.ndarray] = {}
        for each in measures:
            found |= each.measure(ones(len(labels)))
        return {metric: float(found[metric][0]) for metric in METRICS}


SETTINGS = (
    Setting("AUC 0.95, 20 against 200", 20, 200, 0.95),
    Setting("AUC 0.95, 50 against 50", 50, 50, 0.95),
    Setting("AUC 0.97, 20 against 20", 20, 20, 0.97),
    Setting("AUC 0.75, 20 against 20", 20, 20, 0.75),
    Setting("rare class: AUC 0.9, 5 against 200", 5, 200, 0.9),
    Setting("sensitivity 0.95, 20 against 100", 20, 100, 0.99),
    Setting("few groups: AUC 0.95, 10 and 10 patients of 5", 50, 50, 0.95, 5, 0.7),
    Setting("few groups: AUC 0.95, 4 and 40 patients of 5", 20, 200, 0.95, 5, 0.7),
)


def covered(setting: Setting, repetitions: int, rounds: int) -> dict[str, float]:
    """The share of repetitions whose interval holds the truth; a missing interval does not."""
    truth = setting.truth()
    hits = dict.fromkeys(METRICS, 0)
    measured = dict.fromkeys(METRICS, 0)
    rng = np.random.default_rng(0)
    nothing = pd.DataFrame({"partition": [], "label": []})
    for repetition in range(repetitions):
        labels, logits, patients = setting.draw(rng)
        names = np.array([f"{i:05d}" for i in range(len(labels))])
        shifted = logits - np.log(setting.threshold / (1 - setting.threshold))
        page = {}
        for part, scores in (("scores", logits), ("decisions", shifted)):
            columns = (each[:, None] for each in (labels, scores, 1 / (1 + np.exp(-scores))))
            sample = Sample(names, patients.astype(str), ("yes",), *columns)
            chosen = choices_of(None, nothing, ("yes",), 0.9)
            settings = EvaluationSettings(replicates=rounds, seed=repetition)
            page[part] = summarise(sample, chosen, settings)["metrics"]
        for metric in METRICS:
            found = page["decisions" if metric in DECISION else "scores"][metric]
            if found["value"] is not None:
                measured[metric] += 1
                hits[metric] += (found["low"] or 0) <= truth[metric] <= (found["high"] or 0)
    return {metric: hits[metric] / max(1, measured[metric]) for metric in METRICS}


def covered_classes(apart: float, repetitions: int, rounds: int) -> dict[str, float]:
    """The same of four classes that exclude each other, one of them rare, and 60 cases."""
    rng = np.random.default_rng(0)
    classes, shares = ("a", "b", "c", "d"), (0.4, 0.3, 0.2, 0.1)
    settings = EvaluationSettings(replicates=rounds, task=Task.MULTICLASS)
    nothing = pd.DataFrame({"partition": [], "label": []})
    chosen = choices_of(None, nothing, classes, 0.9, exclusive=True)

    def page(cases: int, of: EvaluationSettings) -> dict[str, dict[str, float]]:
        labels = np.eye(4)[rng.choice(4, cases, p=shares)]
        raw = apart * (rng.normal(0, 1, (cases, 4)) + apart * labels) + np.log(shares)
        logits = Task.MULTICLASS.logits(raw)
        names = np.array([f"{i:06d}" for i in range(cases)])
        sample = Sample(names, names, classes, labels, logits, np.exp(logits))
        return summarise(sample, chosen, of)["metrics"]

    truth = page(LARGE // 10, replace(settings, replicates=2))
    hits = dict.fromkeys(truth, 0)
    for _ in range(repetitions):
        found = page(60, settings)
        for metric, each in truth.items():
            low, high = found[metric]["low"] or 0, found[metric]["high"] or 0
            hits[metric] += low <= each["value"] <= high
    return {metric: count / repetitions for metric, count in hits.items()}


@dataclass(frozen=True)
class Pair:
    """Two arms of several runs that judge the same cases, of one class or of several at a time.

    ``base`` tells of the cases and of the one arm's true ROC AUC, ``auc`` of the other's. Half of
    the variance of a case's scores is what all runs have in common.
    """

    name: str
    base: Setting
    auc: float
    runs: int = 2
    classes: int = 1

    @property
    def arms(self) -> dict[str, Setting]:
        return {"one": replace(self.base, auc=self.auc), "two": self.base}

    def draw(self, rng: np.random.Generator) -> list[Run]:
        """The runs of both arms, all at the threshold halfway between the classes."""
        names = tuple(f"class{number}" for number in range(self.classes))
        nothing = pd.DataFrame({"partition": [], "label": []})
        choices = choices_of(None, nothing, names, 0.9).as_json()
        for each in choices.values():
            each["operating_points"]["half"]["threshold"] = self.base.threshold
        one = np.repeat([1.0, 0.0], (self.base.positives, self.base.negatives))
        labels = np.stack([one, *(rng.permutation(one) for _ in names[1:])], axis=1)
        shared = rng.normal(0, np.sqrt(0.5), labels.shape)
        cases = np.array([f"{i:05d}" for i in range(len(labels))])
        found = []
        for arm, setting in self.arms.items():
            for seed in range(self.runs):
                noise = rng.normal(0, np.sqrt(0.5), labels.shape)
                logits = setting.logits(setting.apart * labels + shared + noise)
                probabilities = 1 / (1 + np.exp(-logits))
                drawn = Sample(cases, cases, names, labels, logits, probabilities)
                found.append(Run(arm, 0, seed, {"choices": choices}, drawn))
        return found


PAIRS = (
    Pair("means over runs, 20 against 20", Setting("", 20, 20, 0.8), 0.9),
    Pair("means over runs, 20 against 200", Setting("", 20, 200, 0.9), 0.95),
    Pair("the same in truth, 50 against 50", Setting("", 50, 50, 0.85), 0.85),
    Pair("near 1, one run, 20 against 20", Setting("", 20, 20, 0.97), 0.98, runs=1),
    Pair("rare class, one run, 5 against 200", Setting("", 5, 200, 0.8), 0.9, runs=1),
    Pair("three classes at a time, 15 against 60", Setting("", 15, 60, 0.8), 0.9, classes=3),
)


def covered_arms(pair: Pair, repetitions: int, rounds: int) -> dict[str, dict[str, float]]:
    """The share of repetitions whose intervals hold the truth: of an arm, and of the difference."""
    truth = {arm: setting.truth() for arm, setting in pair.arms.items()}
    hits = {"mean": dict.fromkeys(METRICS, 0), "difference": dict.fromkeys(METRICS, 0)}
    measured = {"mean": dict.fromkeys(METRICS, 0), "difference": dict.fromkeys(METRICS, 0)}
    rng = np.random.default_rng(0)
    for repetition in range(repetitions):
        settings = EvaluationSettings(replicates=rounds, seed=repetition, operating_point="half")
        arms = measure_arms(pair.draw(rng), settings)
        means = arms[0].means
        found = [("mean", name, means[name], truth["one"][name]) for name in METRICS]
        for each in compare_arms(arms, "two", settings.confidence):
            apart = truth["one"][each.metric] - truth["two"][each.metric]
            found.append(("difference", each.metric, each, apart))
        for kind, metric, interval, true in found:
            if interval.low == interval.low:
                measured[kind][metric] += 1
                hits[kind][metric] += bool(interval.low <= true <= interval.high)
    return {
        f"{pair.name}: {kind}": {
            metric: count / max(1, measured[kind][metric]) for metric, count in by_metric.items()
        }
        for kind, by_metric in hits.items()
    }


def report(name: str, title: str, words: str, found: dict[str, dict[str, float]]) -> None:
    """Write a table with a row a study."""
    rows = [
        (name, *(f"{share:.0%}" for share in by_metric.values()), f"{min(by_metric.values()):.0%}")
        for name, by_metric in found.items()
    ]
    metrics = next(iter(found.values()))
    bench.report(name, title, words, bench.table(["study", *metrics, "least"], rows))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repetitions", type=int, default=300)
    options.add_argument("--rounds", type=int, default=300)
    options.add_argument("--only", choices=["binary", "classes", "arms"])
    arguments = options.parse_args()
    often = (arguments.repetitions, arguments.rounds)
    words = f"How many of {often[0]} simulated studies have an interval that holds the truth, at a "
    words += "confidence of 95 %. At least 90 % is promised everywhere."
    if arguments.only in (None, "binary"):
        found = {each.name: covered(each, *often) for each in SETTINGS}
        more = "Five images of a patient share 0.7 of the variance of scores."
        report("coverage", "Coverage of the intervals", f"{words} {more}", found)
    if arguments.only in (None, "classes"):
        found = {f"60 cases, {apart} apart": covered_classes(apart, *often) for apart in (1.0, 2.0)}
        title = "Coverage of the intervals, four exclusive classes"
        report("coverage_classes", title, words, found)
    if arguments.only in (None, "arms"):
        found = {}
        for pair in PAIRS:
            found |= covered_arms(pair, *often)
        title = "Coverage of the intervals of arms and of their differences"
        report("coverage_arms", title, words, found)


if __name__ == "__main__":
    main()
