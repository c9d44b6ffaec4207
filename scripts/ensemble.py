"""An ensemble's predictions: the mean probability of its members for each case and class."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.evaluation.ensemble import average
from triage.evaluation.samples import COLUMNS
from triage.files import read_table, write_rows
from triage.task import Task


def main(arguments: argparse.Namespace) -> None:
    """Write the averaged predictions."""
    members = {str(path): read_table(path, COLUMNS, step="predict") for path in arguments.members}
    mean = average(members, Task(arguments.task))
    cells = mean[COLUMNS].itertuples(index=False)
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in cells)
    write_rows(rows, COLUMNS, arguments.output, sealed=True)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--members", type=Path, nargs="+", required=True, help="predictions")
    options.add_argument("--task", choices=list(Task), required=True)
    options.add_argument("--output", type=Path, required=True, help="predictions, to write")
    command.run(main, options)
