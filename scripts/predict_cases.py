"""Predict all cases but those trained on: a table for each partition.

A network over single images gives a case the mean of its images' probabilities; these are written
as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage import command
from triage.data.image_store import Images
from triage.files import write_rows
from triage.training.cases import Cases, read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.job import parser, prepare
from triage.training.prediction import Predicted, Predictor, scores

PARTITIONS = ("val", "test", "unlabelled")
COLUMNS = ["case", "class", "label", "logit", "probability"]
SLICE_COLUMNS = ["case", "index", "class", "logit", "probability"]

Rows = Iterator[dict[str, object]]


def main(options: argparse.Namespace) -> None:
    device = prepare(options)
    checkpoint = Checkpoint.load(options.checkpoint)
    images = Images.open(options.arrays, options.tables)
    predictor, seen = Predictor(checkpoint, device), checkpoint.cases["train"]
    slices: list[dict[str, object]] = []
    for name in PARTITIONS:
        # A run may train on validation cases: what it says of them is no validation.
        cases = read_cases([getattr(options, name)], without=seen)
        found = predictor(images, cases)
        rows = case_rows(cases, checkpoint, checkpoint.task.pooled(found.logits))
        write_rows(rows, COLUMNS, options.predictions / f"{name}.csv", sealed=True)
        if not checkpoint.over_volumes:
            slices.extend(slice_rows(cases, checkpoint, found))
        command.log.info("%s: %d cases", name, len(cases))
    write_rows(slices, SLICE_COLUMNS, options.slices, sealed=True)


def case_rows(cases: Cases, checkpoint: Checkpoint, logits: NDArray[np.float64]) -> Rows:
    outputs, task = checkpoint.outputs, checkpoint.task
    targets = cases.targets(outputs)
    for i, name in enumerate(cases.names):
        for j in np.argsort(outputs):
            label = "" if np.isnan(targets[i, j]) else int(targets[i, j])
            row = {"case": name, "class": outputs[j], "label": label}
            yield row | scores(logits[i, j], task)


def slice_rows(cases: Cases, checkpoint: Checkpoint, found: Predicted) -> Rows:
    outputs, task = checkpoint.outputs, checkpoint.task
    for i, name in enumerate(cases.names):
        for number, of_slice in zip(found.numbers, found.logits[i], strict=True):
            for j in np.argsort(outputs):
                row = {"case": name, "index": int(number), "class": outputs[j]}
                yield row | scores(of_slice[j], task)


if __name__ == "__main__":
    options = parser(__doc__)
    for name in PARTITIONS:
        options.add_argument(f"--{name}", type=Path, required=True, help="the list of that part")
    options.add_argument("--checkpoint", type=Path, required=True)
    options.add_argument("--predictions", type=Path, required=True, help="output folder")
    options.add_argument("--slices", type=Path, required=True, help="output: of single images")
    command.run(main, options)
