"""Write a study's submission: the mean probability of the chosen arm's runs for each case.

The cases are the unlabelled ones; a study that has none submits its labelled test part.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from triage import command
from triage.arguments import Paths
from triage.errors import UserError
from triage.evaluation.submission import Form, SubmissionSettings, rows_of, write
from triage.files import read_json, read_rows


def main(
    settings: SubmissionSettings, winner: Path, predictions: Paths, parts: Paths, submission: Path
) -> None:
    """Average the runs of the chosen arm and write the checked file."""
    arm = settings.arm if settings.arm != "best" else _best(winner)
    files = [path for path in predictions if path.parent.parent.name == arm]
    partition = _partition(files)
    form = Form(settings.threshold, settings.classes, settings.task)
    of_partition = [path for path in files if path.stem == partition]
    probabilities = _means(of_partition, settings.task.outputs(settings.classes))
    rows = rows_of(probabilities, form)
    lists = [path for path in parts if path.parent.name == partition]
    expected = {row["case"] for path in lists for row in read_rows(path)}
    write(rows, expected, form, submission)
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


def _partition(files: list[Path]) -> str:
    unlabelled = [path for path in files if path.stem == "unlabelled"]
    return "unlabelled" if any(read_rows(path, "predict") for path in unlabelled) else "test"


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
    command.run(main)
