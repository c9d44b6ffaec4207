"""Note each checkpoint that has seen a withdrawn case, before it is trained anew without it.

The record is only added to, and no engine owns it, so that it can be told later which files have to
be deleted elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import withdrawn
from triage.training import consent


def main(arguments: argparse.Namespace) -> None:
    """Add to the list what the checkpoints that lie there now have seen."""
    cases = withdrawn.cases(arguments.withdrawn)
    found = consent.seen(sorted(arguments.checkpoints.glob("*/*/checkpoint.pt")), cases)
    for row in consent.add(found, arguments.output):
        command.log.info("%(checkpoint)s has seen withdrawn case %(case)s", row)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--withdrawn", type=Path, required=True, help="a table with column case")
    options.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of <arm>/<run>/checkpoint.pt"
    )
    options.add_argument("--output", type=Path, required=True, help="the list, kept and added to")
    command.run(main, options)
