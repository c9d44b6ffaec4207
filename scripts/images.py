"""Decode a part of a study's cases into one image shard and its table."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import shards
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the shard."""
    shards.make(
        arguments.raw,
        arguments.manifest,
        arguments.shard,
        parse(shards.ImagesSettings, arguments.settings),
        arguments.array,
        arguments.table,
        arguments.threads,
    )


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--raw", type=Path, required=True, help="the folder of raw files")
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--array", type=Path, required=True, help="to write")
    options.add_argument("--table", type=Path, required=True, help="to write")
    command.run(main, options)
