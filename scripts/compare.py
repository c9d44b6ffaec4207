"""A study's table: every arm with intervals and spread, the zero rate, published values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from triage import command
from triage.arguments import Paths
from triage.evaluation.arms import read_runs, runs_on
from triage.evaluation.published import read_published
from triage.evaluation.settings import EvaluationSettings
from triage.evaluation.table import build_table, comparison_table, main_numbers, winner_record
from triage.files import folders, read_table, write_json, write_table


@dataclass(frozen=True)
class TableSettings:
    """``data`` is the name of the data, and ``external`` that of each external set.

    ``arms`` tells what each starts from, and its search; ``floors`` are those that are no networks.
    """

    study: str
    data: str
    arms: dict[str, dict[str, str]]
    evaluation: EvaluationSettings
    floors: tuple[str, ...] = ()
    external: dict[str, str] = field(default_factory=dict)


def main(
    settings: TableSettings,
    metrics: Paths,
    predictions: Paths,
    parts: Paths,
    table: Path,
    comparison: Path,
    winner: Path,
    headline: Path,
    external: Path,
    external_parts: Paths = (),
    published: Path | None = None,
) -> None:
    """Write the table, the comparisons of arms, the winner with its main numbers, and the table of
    external sets."""
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
    write_json(winner_record(runs, settings.floors), winner)
    elsewhere = [made.iloc[:0]]
    for path in external_parts:
        name = path.parent.name
        part = read_table(path, ["case", "group"])
        elsewhere.append(
            build_table(
                settings.study,
                runs_on(f"external/{name}", metrics, folders(predictions), part),
                None,
                settings.evaluation,
                partition=name,
                data=settings.external[name],
                arms=settings.arms,
                floors=settings.floors,
            )[0]
        )
    write_table(pd.concat(elsewhere), external)
    write_json(main_numbers(made), headline)
    shown = made[["arm", "runs", "val_roc_auc", "roc_auc", "roc_auc_low", "roc_auc_high", "ahead"]]
    command.log.info("%s", shown.to_string(index=False, na_rep="", float_format="%.3f"))


if __name__ == "__main__":
    command.run(main)
