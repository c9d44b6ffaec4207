"""List the cases of a study, shard by shard, and what can't be used and why; decode nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import index
from triage.data.readers import IndexSettings
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the table of cases, that of problems, and the cases of each shard."""
    settings = parse(IndexSettings, arguments.settings)
    made = index.make(arguments.raw, arguments.inventory, arguments.withdrawn, settings)
    made.write(arguments.cases, arguments.problems, arguments.shards)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--raw", type=Path, required=True, help="the folder of raw files")
    options.add_argument("--inventory", type=Path, required=True, help="the table of these files")
    options.add_argument("--withdrawn", type=Path, help="a table of cases to leave out")
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--cases", type=Path, required=True, help="to write")
    options.add_argument("--problems", type=Path, required=True, help="to write")
    options.add_argument("--shards", type=Path, nargs="+", required=True, help="to write")
    command.run(main, options)
