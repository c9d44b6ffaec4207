"""Metrics of one run with intervals; thresholds and temperature are chosen on validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.split import read_lists
from triage.evaluation.evaluate import evaluate_samples
from triage.evaluation.samples import read_sample
from triage.evaluation.settings import EvaluationSettings
from triage.files import write_json


@dataclass(frozen=True)
class RunSettings(EvaluationSettings):
    """``flips``: the reflections that networks were shown as well, by their arm.

    ``members``: the runs, ``<arm>/<run>``, that an ensemble over folds or seeds is a mean of.
    """

    flips: dict[str, tuple[str, ...]] = field(default_factory=dict)
    members: tuple[str, ...] = ()


def main(
    settings: RunSettings,
    parts: Paths,
    metrics: Path,
    val: Path | None = None,
    test: Path | None = None,
) -> None:
    cases = read_lists(parts).drop_duplicates(["case", "partition"])  # of several folds
    validated, tested = (read_sample(path, cases) if path else None for path in (val, test))
    content = evaluate_samples(validated, tested, cases, settings)
    told = {"flips": settings.flips, "members": settings.members}
    write_json({name: each for name, each in told.items() if each} | content, metrics)
    for name, page in content["partitions"].items():
        if page:
            auc = page["metrics"]["roc_auc"]
            text = f"{auc['value']:.3f}" if auc["value"] is not None else auc["reason"]
            command.log.info("%s: %d cases, ROC AUC %s", name, page["cases"], text)


if __name__ == "__main__":
    command.run(main)
