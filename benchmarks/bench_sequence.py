"""The sequence stage: cached features against the frozen network run anew in every epoch."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch import nn

import bench
import training
from triage.models import build
from triage.models.sequence import SequenceModel
from triage.training import balance
from triage.training.loop import Trainer
from triage.training.samples import FeatureSamples
from triage.training.state import Keeper

SLICES, WIDTH, EPOCHS, COHORT = 32, 128, 30, 1000


def trainer(batch: int, patients: int) -> Trainer:
    """Of the sequence model on cached features of so many patients, for one epoch."""
    recipe = training.recipe("braintriage", "lstm", batch_size=batch, epochs=1)
    torch.manual_seed(0)
    features = torch.randn(1, patients, SLICES, WIDTH)
    targets = (np.arange(patients) % 2).astype(np.float32)[:, None]
    names = [f"case{i:05d}" for i in range(patients)]
    train = FeatureSamples(features, names, targets, 1)
    some = max(4, patients // 10)
    val = FeatureSamples(features[:, :some], names[:some], targets[:some], 1)
    keeper = Keeper(Path(tempfile.mkdtemp()) / "run.state", 1e9)
    model = SequenceModel(WIDTH, 1, 64, 2, "final")
    return Trainer(model, train, val, recipe, 1, ("abnormal",), keeper)


class Original:
    """Slices loaded and turned one by one, the network run on them, the sequence model trained."""

    def __init__(self, made: training.Training, network: nn.Module, folder: Path) -> None:
        self.network, self.folder = network, folder
        self.sequence = SequenceModel(WIDTH, 1, 64, 2, "last")
        self.optimizer = torch.optim.Adam(self.sequence.parameters(), 1e-4)
        self.random = np.random.default_rng(0)
        for i, image in enumerate(made.samples.pixels.images):
            torch.save(image.float().clone(), folder / f"{i}.pt")
        self.patients = made.images // SLICES

    def epoch(self) -> None:
        self.network.train()  # as published
        for first in range(0, self.patients, 2):
            both = range(first, min(first + 2, self.patients))
            slices = [self._slice(SLICES * patient + i) for patient in both for i in range(SLICES)]
            with torch.no_grad():
                found = self.network.features(torch.stack(slices).float())
            logits = self.sequence(found.unflatten(0, (-1, SLICES)))
            targets = torch.tensor([[patient % 2.0] for patient in both])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()

    def _slice(self, number: int) -> torch.Tensor:
        image = torch.load(self.folder / f"{number}.pt", weights_only=True).numpy()
        image = (image.astype(np.float64) - 127.0) / 73.0
        if self.random.random() < 0.5:
            image = image[:, :, ::-1]
        if self.random.random() < 0.5:
            angle = self.random.uniform(-10, 10)
            image = ndimage.rotate(image, angle, axes=(1, 2), reshape=False, order=3)
        return torch.from_numpy(np.ascontiguousarray(image))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--patients", type=int, default=100, help="of the sequence epochs")
    options.add_argument("--scans", type=int, default=2, help="of the network's forward passes")
    options.add_argument("--size", type=int, default=128)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    recipe = training.recipe("braintriage", "resnet18")
    made = training.prepare(recipe, arguments.scans * SLICES, 3, arguments.size, arguments.threads)
    network = build(recipe.model, 3, 1)
    frozen = build(recipe.model, 3, 1).eval().to(memory_format=torch.channels_last)
    plan = balance.in_order(len(made.samples))
    bounds = [(0, len(made.samples))]

    def cached() -> None:
        with torch.inference_mode():
            for part in made.samples.batches(plan, bounds, None):
                for images in part.split(64):
                    frozen.features(images)

    with tempfile.TemporaryDirectory() as place:
        original = Original(made, network, Path(place))
        times = bench.interleaved(
            {
                "features": cached,
                "batch 2": lambda: trainer(2, arguments.patients).run(),
                "batch 16": lambda: trainer(16, arguments.patients).run(),
                "original": original.epoch,
            },
            arguments.rounds,
        )
    on = "processor" if arguments.threads == 1 else "wall"
    per = {
        name: np.median(getattr(each, on))
        / (arguments.patients if name.startswith("batch") else arguments.scans)
        for name, each in times.items()
    }
    rows = []
    for name in ("batch 2", "batch 16"):
        training_time = per[name] * COHORT * EPOCHS
        stage = training_time + per["features"] * COHORT
        gain = per["original"] * COHORT * EPOCHS / stage
        rows.append((name, training_time, per["features"] * COHORT, stage, gain))
    bench.report(
        "sequence",
        f"Sequence stage: {EPOCHS} epochs, {COHORT} patients x {SLICES} slices x {WIDTH} features",
        f"Seconds on {arguments.threads} core(s), from {arguments.patients} patients' epochs and"
        f" the forward passes of {arguments.scans} scans of {arguments.size} pixels. The original's"
        " way: slices loaded, standardised and turned one by one, and the network run on them, in"
        f" every epoch: {per['original'] * COHORT * EPOCHS / 3600:.1f} hours.",
        bench.table(
            ["", "sequence model", "features, once", "whole stage", "original / whole stage"], rows
        ),
    )


if __name__ == "__main__":
    main()
