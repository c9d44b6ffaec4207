"""Metrics of one run with intervals; thresholds and temperature are chosen on validation."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data.split import read_lists
from triage.evaluation.evaluate import EvaluationSettings, evaluate_samples, headline
from triage.evaluation.samples import read_sample
from triage.files import write_json
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the metrics of a run, and the few that are worth following."""
    settings = parse(EvaluationSettings, arguments.settings)
    split = read_lists(arguments.parts)
    val, test = (
        read_sample(path, split) if path else None for path in (arguments.val, arguments.test)
    )
    content = evaluate_samples(val, test, split, settings)
    write_json(content, arguments.output)
    write_json(headline(content), arguments.summary)
    for name, page in content["partitions"].items():
        if page:
            auc = page["metrics"]["roc_auc"]
            text = f"{auc['value']:.3f}" if auc["value"] is not None else auc["reason"]
            command.log.info("%s: %d cases, ROC AUC %s", name, page["cases"], text)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--val", type=Path, help="validation predictions, if there are any")
    options.add_argument("--test", type=Path, help="test predictions, if there are any")
    options.add_argument(
        "--parts",
        type=Path,
        nargs="+",
        required=True,
        help="lists of cases, <partition>/fold<k>.csv",
    )
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--output", type=Path, required=True, help="to write")
    options.add_argument("--summary", type=Path, required=True, help="a few of them, to write")
    command.run(main, options)
