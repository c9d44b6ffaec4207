"""Compute the features of a trained slice network once, for the cases that training looks at.

Writes [1 + draws, cases, slices, width] in float32: the first draw shows the volumes as they are,
the others are augmented. The cases are in the order of the table beside it.
"""

from __future__ import annotations

from pathlib import Path

import torch

from triage import command
from triage.training import features as cached
from triage.training.cases import read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.inference import features as compute_features
from triage.training.job import NetworkArguments, prepare
from triage.training.settings import FeatureSettings


def main(
    arguments: NetworkArguments,
    settings: FeatureSettings,
    train: Path,
    val: Path,
    checkpoint: Path,
    features: Path,
    cases: Path,
) -> None:
    device = prepare(arguments)
    trained = Checkpoint.load(checkpoint)
    known = read_cases([train, val])
    data = ImageData(arguments.images(), known.names, trained.input, trained.normalisation, device)
    samples = data.samples(
        known, trained.outputs, whole=True, augment=settings.augment, seed=settings.seed
    )
    network = trained.network().to(device).eval()
    draws = [None, *range(1, settings.augmented_copies + 1)]
    found = torch.stack([compute_features(network, samples, draw) for draw in draws])
    cached.write(found.numpy(), known.names, features, cases)
    command.log.info("%d cases, %d slices, %d features", *found.shape[1:])


if __name__ == "__main__":
    command.run(main)
