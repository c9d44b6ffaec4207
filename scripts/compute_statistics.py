"""Compute what the training images of one fold are like: mean, deviation, usual ranges."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from triage import command
from triage.data import statistics
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.files import each_row, write_json


def main(arguments: argparse.Namespace) -> None:
    """Write the statistics."""
    training = [row["case"] for row in each_row(arguments.train, "split", ["case"])]
    images = Images.open(arguments.arrays, arguments.tables)
    found = statistics.compute(images, training, arguments.threads)
    reference = Reference.of(images, training)
    write_json(asdict(found) | {"reference": asdict(reference)}, arguments.output)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--train", type=Path, required=True, help="the list of training cases")
    options.add_argument("--arrays", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--tables", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--output", type=Path, required=True, help="to write")
    command.run(main, options)
