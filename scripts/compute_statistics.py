"""Compute what the training images of one fold are like: mean, deviation, usual ranges."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from triage import command
from triage.arguments import CORES, Paths
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.data.statistics import compute
from triage.files import each_row, write_json


def main(train: Path, arrays: Paths, tables: Paths, statistics: Path, threads: int = CORES) -> None:
    training = [row["case"] for row in each_row(train, "split", ["case"])]
    images = Images.open(arrays, tables)
    found = compute(images, training, threads)
    reference = Reference.of(images, training)
    write_json(asdict(found) | {"reference": asdict(reference)}, statistics)


if __name__ == "__main__":
    command.run(main)
