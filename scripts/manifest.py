"""Join what the index and the shards found: the cases that can be used, and the quarantine."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import manifest
from triage.data.readers import IndexSettings
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the manifest and the quarantine."""
    manifest.make(
        arguments.cases,
        arguments.problems,
        parse(IndexSettings, arguments.settings),
        arguments.raw,
        arguments.manifest,
        arguments.quarantine,
    )


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--cases", type=Path, required=True, help="of the index")
    options.add_argument(
        "--problems", type=Path, nargs="+", required=True, help="of the index and the shards"
    )
    options.add_argument("--raw", type=Path, required=True, help="the folder, for messages")
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--manifest", type=Path, required=True, help="to write")
    options.add_argument("--quarantine", type=Path, required=True, help="to write")
    command.run(main, options)
