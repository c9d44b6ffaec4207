"""Predict new files with a trained network: a row a case and class.

python scripts/predict.py FILE_OR_FOLDER... --checkpoint CHECKPOINT --output predictions.csv

Pictures are cases by themselves; of volumes each folder with all channels is one, or files that
share what stands before _CHANNEL in their names. Nothing but the checkpoint says how files are read
and prepared. Several checkpoints give the mean of their
probabilities.

A file that can't be used has a row without a probability that says why, and the exit status is 3.
Where an image is unlike those that the network was trained on, the column remark says in what:
don't trust its probability.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from triage import command
from triage.arguments import Paths
from triage.data import inventory, readers, shards, workers
from triage.data.image_store import Images
from triage.data.readers import BadFile, Problem
from triage.data.shards import Decoding, Task
from triage.errors import UserError
from triage.files import ensure_writable, write_rows
from triage.training.cases import Cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import slice_numbers
from triage.training.job import DeviceArguments, prepare
from triage.training.prediction import Predictor, scores

COLUMNS = ["case", "class", "logit", "probability", "remark"]
AT_ONCE = 256 << 20  # bytes of decoded images that are predicted together
UNUSABLE = 3  # exit status where a file can't be used

Row = dict[str, object]
Decoded = tuple[Task, np.ndarray]


def main(
    files: Annotated[Paths, "new files, or folders of them"],
    /,
    arguments: DeviceArguments,
    checkpoint: Annotated[Paths, "checkpoint.pt of one or more runs"],
    output: Annotated[Path, "CSV, to write"],
) -> None:
    """Write the predictions."""
    ensure_writable(output)
    device = prepare(arguments)
    checkpoints = [Checkpoint.load(path) for path in checkpoint]
    first = checkpoints[0]
    for path, other in zip(checkpoint, checkpoints, strict=True):
        if (other.task, other.outputs, other.images) != (first.task, first.outputs, first.images):
            raise UserError(
                f"does not belong together with {checkpoint[0]}",
                where=path,
                remedy="give checkpoints of one study",
            )
    predictors = [Predictor(each, device) for each in checkpoints]
    tasks, rows = _gather(files, first.images)
    usable = _usable(tasks, _least_slices(checkpoints), arguments.threads, rows)
    for batch in _batches(usable):
        rows += _predict(batch, predictors)
    rows.sort(key=lambda row: (str(row["case"]), str(row["class"])))
    write_rows(rows, COLUMNS, output)
    _report(rows, output)


def _gather(given: Sequence[Path], decoding: Decoding) -> tuple[list[Task], list[Row]]:
    """The cases in files and folders, and a row for everything there that is no case."""
    reader = readers.reader(decoding.reader)
    tasks, rows = [], []
    for path in given:
        if not path.exists():
            raise UserError("is not there", where=path, remedy="name a file or a folder")
        raw, files, unreadable = _look(path)
        cases, problems = reader.gather(files, decoding)
        problems += [Problem(file, file, inventory.WHY_UNREADABLE) for file in unreadable]
        tasks += [Task(raw, _name(raw / case.case), case.files, decoding) for case in cases]
        rows += [_unusable(_name(raw / each.file), each.reason) for each in problems]
        if not cases and not problems:
            raise UserError("holds no file", where=path, remedy="name files, or another folder")
    return list({task.case: task for task in tasks}.values()), rows


def _look(path: Path) -> tuple[Path, list[str], list[str]]:
    """The folder, and below it the files that are meant by ``path`` and those of no use."""
    if path.is_dir():
        raw, names = path, sorted(name for name, _ in inventory.walk(path))
    else:
        raw, names = path.parent, [inventory.plain(path.name)]
    files = [name for name in names if inventory.is_file(raw / name)]
    return raw, files, sorted(set(names) - set(files))


def _name(path: Path) -> str:
    return inventory.plain(path.as_posix())


def _least_slices(checkpoints: Sequence[Checkpoint]) -> int:
    """How many slices a case must have."""
    return max(max(slice_numbers(each.input) or [0]) + 1 for each in checkpoints)


def _usable(
    tasks: Sequence[Task], least: int, processes: int, rows: list[Row]
) -> Iterator[Decoded]:
    """The cases that can be decoded; ``rows`` gets one for each that can't."""
    found = workers.imap(shards.decode, tasks, processes, shards.crashed)
    for task, image in tqdm(zip(tasks, found, strict=True), total=len(tasks), disable=None):
        if isinstance(image, BadFile):
            file = "" if len(task.files) == 1 else f"{image.file} "
            rows.append(_unusable(task.case, file + image.reason))
        elif len(image) < least:
            rows.append(_unusable(task.case, f"has {len(image)} slice(s), must have {least}"))
        else:
            yield task, image


def _unusable(case: str, reason: str) -> Row:
    return {"case": case, "class": "", "remark": f"can't be used: {reason}"}


def _batches(usable: Iterator[Decoded]) -> Iterator[list[Decoded]]:
    """Cases of equally many slices and channels, as many as are predicted together."""
    for _, alike in groupby(usable, key=lambda each: each[1].shape[:2]):
        batch: list[Decoded] = []
        for each in alike:
            batch.append(each)
            if sum(image.nbytes for _, image in batch) > AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch


def _predict(batch: Sequence[Decoded], predictors: Sequence[Predictor]) -> Iterator[Row]:
    names = tuple(task.case for task, _ in batch)
    cases = Cases(names, ("",) * len(names))
    stacks = {task.case: image for task, image in batch}
    wrong = _wrong_channels(batch, predictors[0].checkpoint)
    if wrong:
        yield from (_unusable(name, wrong) for name in names)
        return
    checkpoint = predictors[0].checkpoint
    logits, task = [], checkpoint.task
    for predictor in predictors:
        stored = predictor.checkpoint.stored
        images = Images.of(stacks, np.dtype(stored.dtype), (stored.height, stored.width))
        logits.append(task.pooled(predictor(images, cases).logits))
    mean = task.pooled(np.stack(logits, axis=1))
    for i, (name, image) in enumerate(stacks.items()):
        remark = "; ".join(checkpoint.reference.unlike(image))
        for j, output in enumerate(checkpoint.outputs):
            yield {"case": name, "class": output, **scores(mean[i, j], task), "remark": remark}


def _wrong_channels(batch: Sequence[Decoded], checkpoint: Checkpoint) -> str:
    found = batch[0][1].shape[1]
    return "" if found == checkpoint.channels else f"has {found} channels"


def _report(rows: Sequence[Row], output: Path) -> None:
    """Say what was found; leave with UNUSABLE where a file could not be used."""
    bad = {row["case"]: row["remark"] for row in rows if not row["class"]}
    odd = {row["case"]: row["remark"] for row in rows if row["class"] and row["remark"]}
    for case, remark in bad.items():
        command.log.warning("%s %s", case, remark)
    for case, remark in odd.items():
        command.log.warning("warning: %s is unlike the training images: %s", case, remark)
    cases = len({row["case"] for row in rows}) - len(bad)
    command.log.info(
        "%s: %d case(s) predicted, %d of them unlike the training images; %d could not be used",
        *(output, cases, len(odd), len(bad)),
    )
    if bad:
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    command.run(main)
