"""Compute how the images of an external set differ from those of the training part."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data import shift as shifts
from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import each_row, write_json


def main(
    train: Path,
    arrays: Paths,
    tables: Paths,
    cases: Path,
    external_arrays: Paths,
    external_tables: Paths,
    shift: Path,
) -> None:
    """Write the numbers of both. Raises UserError where they differ in channels."""
    trained, tested = (
        [row["case"] for row in each_row(path, "", ["case"])] for path in (train, cases)
    )
    ours, theirs = Images.open(arrays, tables), Images.open(external_arrays, external_tables)
    if ours.channels != theirs.channels:
        raise UserError(
            f"{theirs.channels} channel(s), and the training images have {ours.channels}",
            where=cases.parent,
            remedy="name the same channels in the index of the external set",
        )
    found = shifts.compute(ours, trained, theirs, tested)
    write_json(asdict(found), shift)
    command.log.info(
        "%d of %d cases are unlike training images", found.unlike, found.external.cases
    )


if __name__ == "__main__":
    command.run(main)
