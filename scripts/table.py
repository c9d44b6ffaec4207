"""A study's table: every arm with intervals and spread, the zero rate, published values."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from triage import command
from triage.evaluation import table
from triage.evaluation.arms import read_runs
from triage.evaluation.evaluate import EvaluationSettings
from triage.evaluation.published import read_published
from triage.files import read_table, write_json, write_table
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the table, the comparisons of arms and the winner."""
    settings = parse(EvaluationSettings, arguments.settings)
    splits = [read_table(path, ["case", "group"]) for path in arguments.splits]
    groups = pd.concat(splits).drop_duplicates("case")
    partition, runs = read_runs(arguments.metrics, arguments.predictions, groups)
    made, comparisons = table.build_table(
        arguments.study,
        runs,
        read_published(arguments.published),
        settings,
        partition=partition,
        data=arguments.data,
        arms=json.loads(arguments.arms),
    )
    write_table(made, arguments.table)
    write_table(table.comparison_table(comparisons), arguments.comparison)
    write_json(table.winner_record(runs), arguments.winner)
    shown = made[["arm", "runs", "val_roc_auc", "roc_auc", "roc_auc_low", "roc_auc_high"]]
    command.log.info("%s", shown.to_string(index=False, na_rep="", float_format="%.3f"))


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--study", required=True)
    options.add_argument("--metrics", type=Path, nargs="+", required=True, help="one a run")
    options.add_argument("--predictions", type=Path, nargs="+", required=True, help="run folders")
    options.add_argument("--splits", type=Path, nargs="+", required=True, help="one a fold")
    options.add_argument("--published", type=Path, required=True, help="published values")
    options.add_argument("--settings", required=True, help="JSON, as for evaluate.py")
    options.add_argument("--arms", default="{}", help="initialisation and search of each, as JSON")
    options.add_argument("--data", default="", help="the name of the data, for the table")
    options.add_argument("--table", type=Path, required=True, help="to write")
    options.add_argument("--comparison", type=Path, required=True, help="to write")
    options.add_argument("--winner", type=Path, required=True, help="to write")
    command.run(main, options)
