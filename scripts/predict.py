"""Predict all cases but those trained on: a table for each partition.

A network over single images gives a case the mean of its images' probabilities; these are written
as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from triage import command
from triage.data.store import Images
from triage.files import write_rows
from triage.training.cases import Cases, read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.inference import AT_ONCE, predict
from triage.training.job import parser, prepare
from triage.training.step import Autocast

PARTITIONS = ("val", "test", "unlabelled")
COLUMNS = ["case", "class", "label", "logit", "probability"]
SLICE_COLUMNS = ["case", "index", "class", "logit", "probability"]

Rows = Iterator[dict[str, object]]


def main(options: argparse.Namespace) -> None:
    device = prepare(options)
    checkpoint = Checkpoint.load(options.checkpoint)
    parts = {name: read_cases(options.split, [name]) for name in PARTITIONS}
    predictor = Predictor(checkpoint, Images.open(options.arrays, options.tables), parts, device)
    slices: list[dict[str, object]] = []
    for name, cases in parts.items():
        logits = predictor.logits(cases)
        rows = case_rows(cases, checkpoint.outputs, pooled(logits))
        write_rows(rows, COLUMNS, options.predictions / f"{name}.csv")
        if not checkpoint.over_volumes:
            slices.extend(slice_rows(cases, checkpoint.outputs, logits, predictor.numbers))
        command.log.info("%s: %d cases", name, len(cases))
    write_rows(slices, SLICE_COLUMNS, options.slices)


class Predictor:
    """A trained network with the images of the cases that it is to predict."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        images: Images,
        parts: dict[str, Cases],
        device: torch.device,
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        names = [name for cases in parts.values() for name in cases.names]
        self.network = checkpoint.network().to(device)
        self.data = (
            ImageData(images, names, checkpoint.input, checkpoint.normalisation, device)
            if names
            else None
        )

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers of the slices that the network sees."""
        return self.data.numbers if self.data else np.empty(0, np.int64)

    def logits(self, cases: Cases) -> NDArray[np.float64]:
        """The logits [cases, images, outputs]; of a whole volume there is one."""
        outputs = self.checkpoint.outputs
        if self.data is None or not len(cases):
            return np.empty((0, 1, len(outputs)))
        whole = self.checkpoint.over_volumes
        samples = self.data.samples(cases, outputs, whole)
        batch = max(1, AT_ONCE // samples.images_each)
        logits = predict(self.network, samples, batch, Autocast(self.device, "float32"))
        return logits.double().cpu().numpy().reshape(len(cases), -1, len(outputs))


def pooled(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logit [cases, outputs] of the mean probability over images [cases, images, outputs].

    Computed in logarithms, so that sure predictions stay finite.
    """
    if logits.shape[1] == 1:
        return logits[:, 0]
    yes = -np.logaddexp(0, -logits)
    no = -np.logaddexp(0, logits)
    return np.logaddexp.reduce(yes, axis=1) - np.logaddexp.reduce(no, axis=1)


def case_rows(cases: Cases, outputs: tuple[str, ...], logits: NDArray[np.float64]) -> Rows:
    targets = cases.targets(outputs)
    for i, name in enumerate(cases.names):
        for j in np.argsort(outputs):
            label = "" if np.isnan(targets[i, j]) else int(targets[i, j])
            row = {"case": name, "class": outputs[j], "label": label}
            yield row | scores(logits[i, j])


def slice_rows(
    cases: Cases,
    outputs: tuple[str, ...],
    logits: NDArray[np.float64],
    numbers: NDArray[np.int64],
) -> Rows:
    for i, name in enumerate(cases.names):
        for number, of_slice in zip(numbers, logits[i], strict=True):
            for j in np.argsort(outputs):
                row = {"case": name, "index": int(number), "class": outputs[j]}
                yield row | scores(of_slice[j])


def scores(logit: float) -> dict[str, str]:
    probability = np.exp(-np.logaddexp(0, -logit))
    return {"logit": f"{logit:.9g}", "probability": f"{probability:.9g}"}


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--checkpoint", type=Path, required=True)
    options.add_argument("--predictions", type=Path, required=True, help="output folder")
    options.add_argument("--slices", type=Path, required=True, help="output: of single images")
    command.run(main, options)
