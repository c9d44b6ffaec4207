"""Write one shard of a study's images: all slices of some cases, decoded."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import shards
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the array, its table, and what can't be used."""
    shards.make(
        arguments.raw,
        arguments.cases,
        parse(shards.ImagesSettings, arguments.settings),
        arguments.array,
        arguments.table,
        arguments.problems,
        arguments.threads,
    )


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--raw", type=Path, required=True, help="the folder of raw files")
    options.add_argument("--cases", type=Path, required=True, help="the cases of this shard")
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--array", type=Path, required=True, help="to write")
    options.add_argument("--table", type=Path, required=True, help="to write")
    options.add_argument("--problems", type=Path, required=True, help="to write")
    command.run(main, options)
