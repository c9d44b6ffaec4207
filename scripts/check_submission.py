"""Check a submission file before it is sent.

Every unlabelled case of the split once, ascending, probabilities with five decimals between 0 and
1, and classes that agree with them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.evaluation import submission
from triage.files import read_rows
from triage.task import Task


def main(arguments: argparse.Namespace) -> None:
    """Say that the file is right, or what is wrong with it."""
    rows = read_rows(arguments.split)
    unlabelled = [row["case"] for row in rows if row["partition"] == "unlabelled"]
    expected = unlabelled or [row["case"] for row in rows if row["partition"] == "test"]
    form = submission.Form(arguments.threshold, tuple(arguments.classes), arguments.task)
    count = submission.check(arguments.submission, expected, form)
    command.log.info("%s is valid: %d cases", arguments.submission, count)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("submission", type=Path)
    options.add_argument(
        "--split", type=Path, required=True, help="for example data/braintriage/split/fold0.csv"
    )
    options.add_argument("--threshold", type=float, default=0.5)
    options.add_argument(
        "--classes", nargs="+", default=[], help="in their order, where there are several"
    )
    options.add_argument("--task", type=Task, choices=list(Task), default=Task.BINARY)
    command.run(main, options)
