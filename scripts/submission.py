"""Write a study's submission: the mean probability of the chosen arm's runs for each case.

The cases are the unlabelled ones; a study that has none submits its labelled test part.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from triage import command
from triage.errors import UserError
from triage.evaluation import submission
from triage.files import read_json, read_rows
from triage.settings import parse
from triage.task import Task


@dataclass(frozen=True)
class Settings:
    """``threshold``: a probability above it is the positive class; the rest as in ``Form``."""

    arm: str
    threshold: float
    classes: tuple[str, ...]
    task: Task


def main(arguments: argparse.Namespace) -> None:
    """Average the runs of the chosen arm and write the checked file."""
    settings = parse(Settings, arguments.settings)
    arm = settings.arm if settings.arm != "best" else _best(arguments.winner)
    folders = [path for path in arguments.predictions if path.parent.name == arm]
    partition = _partition(folders)
    outputs = settings.task.outputs(settings.classes)
    form = submission.Form(settings.threshold, settings.classes, settings.task)
    probabilities = _means([folder / f"{partition}.csv" for folder in folders], outputs)
    rows = submission.rows_of(probabilities, form)
    expected = {
        row["case"]
        for path in arguments.parts
        if path.parent.name == partition
        for row in read_rows(path)
    }
    submission.write(rows, expected, form, arguments.output)
    command.log.info("%d cases predicted by arm %s", len(rows), arm)


def _best(winner: Path) -> str:
    chosen = read_json(winner)
    if chosen["arm"] is None:
        raise UserError(
            f"no arm is best on validation ({chosen.get('reason', 'none was validated')})",
            where=winner,
            remedy="name an arm: submission.arm in params.yaml",
        )
    return str(chosen["arm"])


def _partition(folders: list[Path]) -> str:
    if any(read_rows(folder / "unlabelled.csv", "predict") for folder in folders):
        return "unlabelled"
    return "test"


def _means(files: list[Path], classes: tuple[str, ...]) -> dict[str, list[float]]:
    """Of each case the mean over ``files``, of each of the classes that are predicted."""
    found: dict[str, dict[str, list[float]]] = {}
    for file in files:
        for row in read_rows(file, "predict"):
            of_case = found.setdefault(row["case"], {})
            of_case.setdefault(row["class"], []).append(float(row["probability"]))
    if not found:
        raise UserError("no case to submit", where=", ".join(map(str, files)))
    return {case: [fmean(values[name]) for name in classes] for case, values in found.items()}


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument(
        "--settings", required=True, help="arm, threshold, classes and task as JSON"
    )
    options.add_argument("--winner", type=Path, required=True)
    options.add_argument("--predictions", type=Path, nargs="+", required=True, help="run folders")
    options.add_argument(
        "--parts",
        type=Path,
        nargs="+",
        required=True,
        help="lists of cases, <partition>/fold<k>.csv",
    )
    options.add_argument("--output", type=Path, required=True)
    command.run(main, options)
