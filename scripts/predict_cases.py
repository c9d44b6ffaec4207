"""Predict all cases but those trained on, or those of an external set: a table for each partition.

A network over single images gives a case the mean of its images' probabilities; these are written
as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage import command
from triage.arguments import Paths
from triage.errors import UserError
from triage.files import write_rows
from triage.training.cases import Cases, read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.job import NetworkArguments, prepare
from triage.training.prediction import Predicted, Predictor, scores

COLUMNS = ["case", "class", "label", "logit", "probability"]
SLICE_COLUMNS = ["case", "index", "class", "logit", "probability"]

Rows = Iterator[dict[str, object]]


def main(
    arguments: NetworkArguments,
    checkpoint: Path,
    predictions: Paths,
    val: Path | None = None,
    test: Path | None = None,
    unlabelled: Path | None = None,
    external: Path | None = None,
    slices: Path | None = None,
) -> None:
    """Write the predictions of the parts that are given, in this order, and those of slices."""
    network = Checkpoint.load(checkpoint)
    predictor, stored = Predictor(network, prepare(arguments)), network.stored
    images = arguments.images().as_in(np.dtype(stored.dtype), (stored.height, stored.width))
    if images.channels != network.channels:
        raise UserError(
            f"{images.channels} channel(s), and the network was trained on {network.channels}",
            where=arguments.tables[0].parent,
            remedy="name the same channels in the index of the external set",
        )
    of_slices: list[dict[str, object]] = []
    parts = [part for part in (val, test, unlabelled, external) if part]
    for part, target in zip(parts, predictions, strict=True):
        # A run may train on validation cases: what it says of them is no validation.
        cases = read_cases([part], without=network.cases["train"] if part == val else ())
        found = predictor(images, cases)
        rows = case_rows(cases, network, network.task.pooled(found.logits))
        write_rows(rows, COLUMNS, target, sealed=True)
        if not network.over_volumes:
            of_slices.extend(slice_rows(cases, network, found))
        command.log.info("%s: %d cases", target.stem, len(cases))
    if slices:
        write_rows(of_slices, SLICE_COLUMNS, slices, sealed=True)


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
    command.run(main)
