"""Write every slice as a file of its own, for tools that want them so.

<patient>_<slice>.pt     a float32 tensor [channels, height, width], raw values
labels_slices.csv        patient_nr,slice_nr,class; class is empty where it is not known
"""

from __future__ import annotations

from pathlib import Path

import torch

from triage import command
from triage.arguments import CORES, Paths
from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import each_row, write_rows
from triage.training import tensor_files


def main(manifest: Path, arrays: Paths, tables: Paths, labels: Path, threads: int = CORES) -> None:
    """Write the slices and the table of them; slices of other patients are removed."""
    rows = each_row(manifest, columns=["case", "label"])
    label_of = {row["case"]: row["label"] for row in rows}
    images = Images.open(arrays, tables)
    cases = [case for case in images.cases if case in label_of]
    positions = {case: images.positions([case]) for case in cases}
    slices = [(case, i) for case in cases for i in range(len(positions[case]))]
    folder = labels.parent
    names = {_name(case, i) for case, i in slices}
    for case in cases:
        images.verify(positions[case], threads)
        for i, image in enumerate(torch.from_numpy(images.stack(case))):
            tensor_files.write(image.to(torch.float32, copy=True), folder / _name(case, i))
    made = [{"patient_nr": case, "slice_nr": i, "class": label_of[case]} for case, i in slices]
    _remove_others(folder, names)
    write_rows(made, ["patient_nr", "slice_nr", "class"], labels)
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
    command.run(main)
