"""A study's table: every arm with intervals and spread, the zero rate, published values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from triage import command
from triage.arguments import Paths
from triage.evaluation.arms import read_runs
from triage.evaluation.published import read_published
from triage.evaluation.settings import EvaluationSettings
from triage.evaluation.table import build_table, comparison_table, main_numbers, winner_record
from triage.files import folders, read_table, write_json, write_table


@dataclass(frozen=True)
class TableSettings:
    """``data`` is the name of the data; ``arms`` tells what each starts from, and its search.

    ``floors`` are the arms that are no networks.
    """

    study: str
    data: str
    arms: dict[str, dict[str, str]]
    evaluation: EvaluationSettings
    floors: tuple[str, ...] = ()


def main(
    settings: TableSettings,
    metrics: Paths,
    predictions: Paths,
    parts: Paths,
    table: Path,
    comparison: Path,
    winner: Path,
    headline: Path,
    published: Path | None = None,
) -> None:
    """Write the table, the comparisons of arms, the winner and its main numbers."""
    groups = pd.concat([read_table(path, ["case", "group"]) for path in parts])
    partition, runs = read_runs(metrics, folders(predictions), groups.drop_duplicates("case"))
    made, comparisons = build_table(
        settings.study,
        runs,
        read_published(published) if published else None,
        settings.evaluation,
        partition=partition,
        data=settings.data,
        arms=settings.arms,
        floors=settings.floors,
    )
    write_table(made, table)
    write_table(comparison_table(comparisons), comparison)
    write_json(winner_record(runs), winner)
    write_json(main_numbers(made), headline)
    shown = made[["arm", "runs", "val_roc_auc", "roc_auc", "roc_auc_low", "roc_auc_high", "ahead"]]
    command.log.info("%s", shown.to_string(index=False, na_rep="", float_format="%.3f"))


if __name__ == "__main__":
    command.run(main)
