"""Split the cases of a study into training, validation and test for one fold."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import groups, split
from triage.files import read_table, write_table
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the split and the list of each of its parts."""
    settings = parse(groups.SplitSettings, arguments.settings)
    made = split.make(read_table(arguments.groups, groups.COLUMNS), arguments.fold, settings)
    write_table(made[split.COLUMNS], arguments.output)
    for partition, path in zip(split.PARTITIONS, arguments.parts, strict=True):
        write_table(split.part(made, partition), path)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--groups", type=Path, required=True)
    options.add_argument("--fold", type=int, required=True)
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--output", type=Path, required=True, help="to write")
    options.add_argument("--parts", type=Path, nargs=4, required=True, help="to write")
    command.run(main, options)
