"""Check a submission file before it is sent.

Every unlabelled case of the split once, ascending, probabilities with five decimals between 0 and
1, and classes that agree with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from triage import command
from triage.evaluation.submission import Form, check
from triage.files import read_rows
from triage.task import Task


def main(
    submission: Path,
    /,
    split: Annotated[Path, "of the study: data/<study>/split/fold0.csv"],
    threshold: float = 0.5,
    classes: Annotated[tuple[str, ...], "in their order, where there are several"] = (),
    task: Literal["binary", "multiclass", "multilabel"] = "binary",
) -> None:
    """Say that the file is right, or what is wrong with it."""
    rows = read_rows(split)
    unlabelled = [row["case"] for row in rows if row["partition"] == "unlabelled"]
    expected = unlabelled or [row["case"] for row in rows if row["partition"] == "test"]
    form = Form(threshold, classes, Task(task))
    count = check(submission, expected, form)
    command.log.info("%s is valid: %d cases", submission, count)


if __name__ == "__main__":
    command.run(main)
