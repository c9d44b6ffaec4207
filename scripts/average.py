"""An ensemble's predictions: the mean probability of its members for each case and class."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.evaluation.ensemble import average
from triage.evaluation.samples import COLUMNS
from triage.files import read_table, write_rows


def main(members: Paths, predictions: Path) -> None:
    """Write the averaged predictions."""
    mean = average({str(path): read_table(path, COLUMNS, step="predict") for path in members})
    cells = mean[COLUMNS].itertuples(index=False)
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in cells)
    write_rows(rows, COLUMNS, predictions, sealed=True)


if __name__ == "__main__":
    command.run(main)
