"""An ensemble's predictions: the mean probability of its members for each case and class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.evaluation.ensemble import average
from triage.evaluation.samples import COLUMNS
from triage.files import read_table, write_rows
from triage.task import Task


@dataclass(frozen=True)
class Settings:
    """What the study asks of a case.

    ``out_of_fold``: each member has the cases that it did not train on, and others have others.
    """

    task: Task
    out_of_fold: bool = False


def main(settings: Settings, members: Paths, predictions: Path) -> None:
    tables = {str(path): read_table(path, COLUMNS, step="predict") for path in members}
    mean = average(tables, settings.task, settings.out_of_fold)
    cells = mean[COLUMNS].itertuples(index=False)
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in cells)
    write_rows(rows, COLUMNS, predictions, sealed=True)


if __name__ == "__main__":
    command.run(main)
