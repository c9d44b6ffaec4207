"""Metrics of one run on an external set, with what the run's own validation chose."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.data.split import read_lists
from triage.errors import UserError
from triage.evaluation.choices import Choices
from triage.evaluation.evaluate import summarise
from triage.evaluation.samples import read_sample
from triage.evaluation.settings import EvaluationSettings
from triage.files import read_json, write_json


def main(
    settings: EvaluationSettings, metrics: Path, predictions: Path, part: Path, page: Path
) -> None:
    """Write the page of the set: the metrics that ``metrics`` has of the run's own parts."""
    sample = read_sample(predictions, read_lists([part]))
    choices = Choices.from_json(read_json(metrics)["choices"])
    if sample is None:
        raise UserError("predicts no case", where=predictions, remedy="remake it")
    found = summarise(sample, choices, settings)
    write_json(found, page)
    auc = found["metrics"]["roc_auc"]
    text = f"{auc['value']:.3f}" if auc["value"] is not None else auc["reason"]
    command.log.info("%s: %d cases, ROC AUC %s", page.stem, found["cases"], text)


if __name__ == "__main__":
    command.run(main)
