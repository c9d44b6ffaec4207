"""Predict all cases but those trained on, or those of an external set: a table for each partition.

A network over single images gives a case the mean of its images' probabilities; these are written
as well. The table of a partition is left as it is where its list, the network and the code are the
same as when it was written, which a note in a scratch folder says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from triage import command
from triage.arguments import Paths
from triage.errors import UserError
from triage.files import each_row, sha256, write_rows, write_text
from triage.training.cases import Cases, read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.job import NetworkArguments, prepare
from triage.training.prediction import Predicted, Predictor, scores
from triage.training.settings import Predict

COLUMNS = ["case", "class", "label", "logit", "probability"]
SLICE_COLUMNS = ["case", "index", "class", "logit", "probability"]

Rows = Iterable[dict[str, object]]


def main(
    arguments: NetworkArguments,
    checkpoint: Path,
    predictions: Paths,
    settings: Predict | None = None,
    val: Path | None = None,
    test: Path | None = None,
    unlabelled: Path | None = None,
    external: Path | None = None,
    slices: Path | None = None,
    code: Annotated[str, "digest of the code; with another one, all is predicted anew"] = "",
    note: Annotated[Path | None, "of what the tables were made from the last time"] = None,
) -> None:
    """Write the predictions of the parts that are given, in this order, and those of slices."""
    network, flips = Checkpoint.load(checkpoint), settings.flips if settings else ()
    predictor, stored = Predictor(network, prepare(arguments), flips), network.stored
    images = arguments.images().as_in(np.dtype(stored.dtype), (stored.height, stored.width))
    if images.channels != network.channels:
        raise UserError(
            f"{images.channels} channel(s), and the network was trained on {network.channels}",
            where=arguments.tables[0].parent,
            remedy="name the same channels in the index of the external set",
        )
    last = Last(note, f"{sha256(checkpoint)} {code} {flips}", slices or Path())
    of_slices: list[Rows] = []
    parts = [part for part in (val, test, unlabelled, external) if part]
    for part, target in zip(parts, predictions, strict=True):
        # A run may train on validation cases: what it says of them is no validation.
        cases = read_cases([part], without=network.cases["train"] if part == val else ())
        if last.holds(target, part):
            command.log.info("%s: %d cases, as before", target.stem, len(cases))
            of_slices.append(last.slices_of(cases))
            continue
        found = predictor(images, cases)
        rows = case_rows(cases, network, network.task.pooled(found.logits))
        write_rows(rows, COLUMNS, target, sealed=True)
        if not network.over_volumes:
            of_slices.append(slice_rows(cases, network, found))
        command.log.info("%s: %d cases", target.stem, len(cases))
    if slices:
        write_rows(chain.from_iterable(of_slices), SLICE_COLUMNS, slices, sealed=True)
    last.write(dict(zip(predictions, parts, strict=True)))


class Last:
    """The tables as they were written the last time, by the same network and code (``by``)."""

    def __init__(self, note: Path | None, by: str, slices: Path) -> None:
        self._note, self._by, self._slices = note, by, slices
        try:
            self._known = json.loads(note.read_text(encoding="utf-8")) if note else {}
            if self._known.get(slices.name) != sha256(slices):
                self._known = {}
        except (OSError, ValueError, AttributeError):
            self._known = {}  # a lost or damaged note only costs time

    def holds(self, table: Path, part: Path) -> bool:
        """Whether ``table`` is what would be made of the list ``part``."""
        return table.exists() and self._known.get(table.name) == self._state(table, part)

    def slices_of(self, cases: Cases) -> Rows:
        names = set(cases.names)
        return (dict(row) for row in each_row(self._slices) if row["case"] in names)

    def write(self, parts: dict[Path, Path]) -> None:
        """Note what each table was made of."""
        if self._note:
            states = {self._slices.name: sha256(self._slices)}
            states |= {table.name: self._state(table, part) for table, part in parts.items()}
            write_text(json.dumps(states), self._note)

    def _state(self, table: Path, part: Path) -> str:
        text = f"{self._by} {sha256(part)} {sha256(table)}"
        return hashlib.sha256(text.encode()).hexdigest()


def case_rows(
    cases: Cases, checkpoint: Checkpoint, logits: NDArray[np.float64]
) -> Iterator[dict[str, object]]:
    outputs, task = checkpoint.outputs, checkpoint.task
    targets = cases.targets(outputs)
    for i, name in enumerate(cases.names):
        for j in np.argsort(outputs):
            label = "" if np.isnan(targets[i, j]) else int(targets[i, j])
            row = {"case": name, "class": outputs[j], "label": label}
            yield row | scores(logits[i, j], task)


def slice_rows(
    cases: Cases, checkpoint: Checkpoint, found: Predicted
) -> Iterator[dict[str, object]]:
    outputs, task = checkpoint.outputs, checkpoint.task
    for i, name in enumerate(cases.names):
        for number, of_slice in zip(found.numbers, found.logits[i], strict=True):
            for j in np.argsort(outputs):
                row = {"case": name, "index": int(number), "class": outputs[j]}
                yield row | scores(of_slice[j], task)


if __name__ == "__main__":
    command.run(main)
