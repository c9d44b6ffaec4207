"""Write every slice as a file of its own, for tools that want them so.

<patient>_<slice>.pt     a float32 tensor [channels, height, width], raw values
labels_slices.csv        patient_nr,slice_nr,class; class is empty where it is not known
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch

from triage import command
from triage.data.store import Images
from triage.errors import UserError
from triage.files import read_table, write_table, write_tensors


def main(arguments: argparse.Namespace) -> None:
    """Write the slices, then the table of them; what else was there is removed."""
    manifest = read_table(arguments.manifest, ["case", "label"])
    images = Images.open(arguments.arrays, arguments.tables)
    labels = dict(zip(manifest["case"], manifest["label"], strict=True))
    table = images.table[images.table["case"].isin(labels.keys())]
    positions = table.index.to_numpy()
    names = _names(table)
    folder = arguments.output.parent
    _remove_others(folder, set(names))
    images.verify(positions, arguments.threads)
    sizes = table[["height", "width"]].to_numpy().tolist()
    for name, position, (height, width) in zip(names, positions, sizes, strict=True):
        pixels = torch.from_numpy(images.read(position, (height, width)))
        write_tensors(pixels.to(torch.float32), folder / name)
    listing = {"patient_nr": table["case"], "slice_nr": table["index"]}
    write_table(pd.DataFrame(listing | {"class": table["case"].map(labels)}), arguments.output)
    command.log.info("%d slices of %d patients", len(table), table["case"].nunique())


def _names(table: pd.DataFrame) -> list[str]:
    names = [f"{case}_{i}.pt" for case, i in zip(table["case"], table["index"], strict=True)]
    for name in names:
        if Path(name).name != name:
            raise UserError(f"{name!r} can't be the name of a file", where="manifest")
    return names


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in folder.glob("*.pt"):
        if path.name not in names:
            path.unlink()


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument("--arrays", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--tables", type=Path, nargs="+", required=True, help="of all shards")
    options.add_argument("--output", type=Path, required=True, help="labels_slices.csv, to write")
    command.run(main, options)
