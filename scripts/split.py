"""Split the cases of a study into training, validation and test for one fold."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.groups import COLUMNS as GROUP_COLUMNS
from triage.data.groups import SplitSettings
from triage.data.split import COLUMNS, PARTITIONS, make, part
from triage.files import read_table, write_table


def main(settings: SplitSettings, groups: Path, fold: int, split: Path, parts: Paths) -> None:
    """Write the split and the list of each of its parts."""
    made = make(read_table(groups, GROUP_COLUMNS), fold, settings)
    write_table(made[COLUMNS], split)
    for partition, path in zip(PARTITIONS, parts, strict=True):
        write_table(part(made, partition), path)


if __name__ == "__main__":
    command.run(main)
