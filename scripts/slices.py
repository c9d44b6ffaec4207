"""Write every slice as a file of its own, for tools that want them so.

<patient>_<slice>.pt     a float32 tensor [channels, height, width], raw values
labels_slices.csv        patient_nr,slice_nr,class; class is empty where it is not known
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from triage import command
from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import each_row, write_rows, write_tensors


def main(arguments: argparse.Namespace) -> None:
    """Write the slices and the table of them; slices of other patients are removed."""
    labels = {
        row["case"]: row["label"] for row in each_row(arguments.manifest, columns=["case", "label"])
    }
    images = Images.open(arguments.arrays, arguments.tables)
    cases = [case for case in images.cases if case in labels]
    positions = {case: images.positions([case]) for case in cases}
    slices = [(case, i) for case in cases for i in range(len(positions[case]))]
    folder = arguments.output.parent
    names = {_name(case, i) for case, i in slices}
    for case in cases:
        images.verify(positions[case], arguments.threads)
        for i, image in enumerate(torch.from_numpy(images.stack(case))):
            write_tensors(image.to(torch.float32, copy=True), folder / _name(case, i))
    rows = [{"patient_nr": case, "slice_nr": i, "class": labels[case]} for case, i in slices]
    _remove_others(folder, names)
    write_rows(rows, ["patient_nr", "slice_nr", "class"], arguments.output)
    command.log.info("%d slices of %d patients", len(slices), len(cases))


def _name(case: str, number: int) -> str:
    name = f"{case}_{number}.pt"
    if Path(name).name != name:
        raise UserError(f"{name!r} can't be the name of a file", where="manifest")
    return name


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in folder.glob("*_*.pt"):
        if path.name not in names and path.stem.rpartition("_")[2].isdigit():
            path.unlink()


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--arrays", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--tables", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--output", type=Path, required=True, help="labels_slices.csv, to write")
    command.run(main, options)
