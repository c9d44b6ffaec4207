"""Split a study's cases into training, validation and test for one fold."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import split
from triage.files import read_table, write_table
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the split."""
    settings = parse(split.SplitSettings, arguments.settings)
    columns = ["case", "group", "label", "votes", "partition", "sha256"]
    manifest = read_table(arguments.manifest, columns, usecols=columns.__contains__)
    fingerprints = split.read_fingerprints(arguments.tables, manifest["case"].tolist())
    made = split.make(manifest, fingerprints, arguments.fold, settings)
    write_table(made, arguments.output)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="the tables of all image shards"
    )
    options.add_argument("--fold", type=int, required=True)
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--output", type=Path, required=True, help="to write")
    command.run(main, options)
