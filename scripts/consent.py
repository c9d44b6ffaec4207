"""Note each checkpoint that has seen a withdrawn case, before it is trained anew without it.

The list only grows, so that it can be told later which files have to be deleted elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import withdrawn
from triage.files import read_rows, write_rows
from triage.training import consent


def main(arguments: argparse.Namespace) -> None:
    """Add to the list what the checkpoints that lie there now have seen."""
    cases = withdrawn.cases(arguments.withdrawn)
    known = read_rows(arguments.output) if arguments.output.exists() else []
    found = consent.seen(sorted(arguments.checkpoints.glob("*/*/checkpoint.pt")), cases)
    for row in (rows := consent.merged(known, found)):
        if row in found:
            command.log.info("%(checkpoint)s has seen withdrawn case %(case)s", row)
    write_rows(rows, consent.COLUMNS, arguments.output)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--withdrawn", type=Path, required=True, help="a table with column case")
    options.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of <arm>/<run>/checkpoint.pt"
    )
    options.add_argument("--output", type=Path, required=True, help="the list, kept and added to")
    command.run(main, options)
