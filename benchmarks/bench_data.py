"""The data path of slices against the original's: files of tensors, one item at a time."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import DataLoader, Dataset

import bench
import training


class Slices(Dataset[tuple[torch.Tensor, int]]):
    """The original's: load a slice, standardise it in double precision, flip and turn it."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.random = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path = self.folder / f"{index // 32}_{index % 32}.pt"
        image = torch.load(path, weights_only=True).numpy()
        image = (image.astype(np.float64) - 127.0) / 73.0
        if self.random.random() < 0.5:
            image = image[:, :, ::-1]
        if self.random.random() < 0.5:
            angle = self.random.uniform(-10, 10)
            image = ndimage.rotate(image, angle, axes=(1, 2), reshape=False, order=3)
        return torch.from_numpy(np.ascontiguousarray(image)), index % 2


def original(folder: Path, count: int) -> None:
    right = 0.0
    for images, labels in DataLoader(Slices(folder, count), batch_size=16, shuffle=True):
        right += (images.float()[:, 0, 0, 0] > 0).eq(labels).sum().item()  # its metric a batch


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=128)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    arguments = options.parse_args()
    recipe = training.recipe("braintriage", "resnet18", batch_size=16)
    rows = []
    for size in (96, 256, 426):
        made = training.prepare(recipe, arguments.images, 3, size, arguments.threads)
        with tempfile.TemporaryDirectory() as place:
            for i in range(arguments.images):
                values = made.samples.pixels.images[i].float().clone()
                torch.save(values, Path(place, f"{i // 32}_{i % 32}.pt"))
            times = bench.interleaved(
                {
                    "ours": made.data_path,
                    "original": lambda place=place: original(Path(place), arguments.images),
                },
                arguments.rounds,
            )
        ours, theirs = times.values()
        gain = bench.ratio(theirs, ours, "processor")
        rows.append(
            (size, arguments.images / ours.seconds, arguments.images / theirs.seconds, gain)
        )
    bench.report(
        "data",
        "Data path: from store to augmented batch",
        "Flip and rotation, each with probability 0.5. The original's way: a dataset of single"
        " slices, `torch.load`, standardised in float64, `scipy.ndimage.rotate` with cubic"
        " splines, a metric read back every batch; its files lie in the page cache."
        f" {arguments.threads} thread(s), no worker processes on either side.",
        bench.table(["pixels", "images/s", "original's images/s", "ratio on processors"], rows),
    )


if __name__ == "__main__":
    main()
