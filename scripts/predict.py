"""Predict new files with a trained network: a row a case.

python scripts/predict.py FILE_OR_FOLDER... --checkpoint CHECKPOINT --output predictions.csv

Pictures are cases by themselves; of volumes each folder with all channels is one, or files that
share what stands before _CHANNEL in their names. Nothing but the checkpoint says how files are read
and prepared. Several checkpoints (--checkpoint A --checkpoint B) give the mean of their
probabilities. Without any, those of the run are taken whose metrics.json --metrics names.

A row has the probability of each class, and the class that is decided for: by the thresholds of the
run's metrics.json, which is found where the workflow has put it, or of the one that --metrics
names. --labels names a table with columns file and label (and group, if cases belong together), by
which the predictions are scored: metrics with intervals stand beside the output, in *.metrics.json.

A file that can't be used has a row without a probability that says why, and the exit status is 3.
Where an image is unlike those that the network was trained on, the column remark says in what:
don't trust its probability.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from triage import command
from triage.arguments import Paths, Repeated
from triage.data.readers import tables
from triage.errors import UserError
from triage.files import ensure_writable, write_json, write_rows
from triage.model import Model, Prediction
from triage.training.cases import Cases, check_labels
from triage.training.job import DeviceArguments, prepare
from triage.training.settings import Flip

UNUSABLE = 3  # exit status where a file can't be used
LABELS = ("file", "label")  # columns of a table of labels


def main(
    files: Annotated[Paths, "new files, or folders of them"],
    /,
    arguments: DeviceArguments,
    output: Annotated[Path, "CSV, to write"],
    checkpoint: Annotated[Paths, Repeated("checkpoint.pt of a run; of several, once each")] = (),
    metrics: Annotated[Path | None, "metrics.json of the run, for its thresholds"] = None,
    flip: Annotated[
        tuple[Flip, ...], Repeated("show the images also so; else as the run did")
    ] = (),
    labels: Annotated[Path | None, "table of the true classes, to score by"] = None,
) -> None:
    ensure_writable(output)
    scored = output.with_suffix(".metrics.json")
    device = prepare(arguments)
    model = Model.load(*checkpoint, metrics=metrics, device=device, flips=flip or None)
    truth = _labels(labels, model, model.cases(*files)) if labels else None
    found = model.predict(*files, threads=arguments.threads)
    rows = [_row(each, model) for each in found]
    write_rows(rows, list(_row(Prediction("", {}, (), False), model)), output)
    command.log.info("decided by %s", model.decided)
    if truth:
        page = model.score(found, *truth)
        write_json(page, scored)
        _tell(page, scored)
    _report(found, output)


def _row(prediction: Prediction, model: Model) -> dict[str, object]:
    """The decision and each class's probability and threshold, in columns that name the class."""
    known, thresholds = prediction.probabilities, model.thresholds
    row: dict[str, object] = {"case": prediction.case, "decision": prediction.decision}
    row |= {f"probability_{name}": _text(known.get(name)) for name in model.classes}
    row |= {f"threshold_{name}": _text(each) for name, each in thresholds.items()}
    return row | {"remark": prediction.remark}


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _labels(
    path: Path, model: Model, cases: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The label and the group of each case, by name; rows of no case are told of.

    Raises UserError for a row that may be of several, for a case with two labels or one that the
    model does not know, and where no row is of a case.
    """
    by_name: dict[str, list[str]] = {}
    known = dict.fromkeys(cases)
    for case in known:
        parts = Path(case).parts
        tails = {"/".join(parts[start:]) for start in range(len(parts))}
        for each in {case, Path(case).stem, *tails}:
            by_name.setdefault(each, []).append(case)
    labels: dict[str, str] = {}
    groups: dict[str, str] = {}
    others: list[str] = []
    for row in tables.read(path, LABELS, ["group"]):
        name = row["file"]
        fitting = [name] if name in known else by_name.get(name, [])
        if len(fitting) > 1:
            raise UserError(
                f"{name!r} may be {' or '.join(fitting[:2])}",
                where=row.where,
                remedy="name it as the column case of the output does",
            )
        for case in fitting:
            one = Cases((case,), (row["label"],))
            check_labels(one, model.classes, model.checkpoint.task, row.where)
            if labels.setdefault(case, row["label"]) != row["label"]:
                raise UserError(
                    f"{case} has the label {row['label']!r}, and {labels[case]!r} above",
                    where=row.where,
                    remedy="keep one of its rows",
                )
            groups[case] = row.cells.get("group") or case
        others += [] if fitting else [name]
    if not any(labels.values()):
        raise UserError(
            "has no label of a case that is predicted",
            where=path,
            remedy="name files in the column file as they are given here",
        )
    if others:
        words = "%s: %d row(s) are of no predicted case, such as %s"
        command.log.warning(words, path, len(others), others[0])
    return labels, {case: groups.get(case, case) for case in cases}


def _tell(page: dict[str, object], path: Path) -> None:
    command.log.info("%s: %d case(s) scored", path, page["cases"])
    metrics = page["metrics"]
    assert isinstance(metrics, dict)
    for name, each in metrics.items():
        if each["value"] is not None:
            limits = "" if each["low"] is None else f" ({each['low']:.3f} to {each['high']:.3f})"
            command.log.info("%s %.3f%s", name.replace("_", " "), each["value"], limits)


def _report(predictions: Sequence[Prediction], output: Path) -> None:
    """Say what was found; leave with UNUSABLE where a file could not be used."""
    bad = [each for each in predictions if not each.usable]
    odd = [each for each in predictions if each.usable and each.remark]
    for each in bad:
        command.log.warning("%s %s", each.case, each.remark)
    for each in odd:
        command.log.warning("warning: %s is unlike the training images: %s", each.case, each.remark)
    command.log.info(
        "%s: %d case(s) predicted, %d of them unlike the training images; %d could not be used",
        *(output, len(predictions) - len(bad), len(odd), len(bad)),
    )
    if bad:
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    command.run(main)
