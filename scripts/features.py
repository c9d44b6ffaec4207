"""Compute the features of a trained slice network once, for the cases that training looks at.

Writes [1 + draws, cases, slices, width] in float32: the first draw shows the volumes as they are,
the others are augmented. The cases are in the order of the table beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from triage import command
from triage.data.image_store import Images
from triage.settings import parse
from triage.training import features as cached
from triage.training.cases import read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.inference import features
from triage.training.job import parser, prepare
from triage.training.settings import FeatureSettings


def main(options: argparse.Namespace) -> None:
    settings = parse(FeatureSettings, options.settings)
    device = prepare(options)
    checkpoint = Checkpoint.load(options.checkpoint)
    cases = read_cases([options.train, options.val])
    images = Images.open(options.arrays, options.tables)
    data = ImageData(images, cases.names, checkpoint.input, checkpoint.normalisation, device)
    samples = data.samples(
        cases, checkpoint.outputs, whole=True, augment=settings.augment, seed=settings.seed
    )
    network = checkpoint.network().to(device).eval()
    draws = [None, *range(1, settings.augmented_copies + 1)]
    found = torch.stack([features(network, samples, draw) for draw in draws])
    cached.write(found.numpy(), cases.names, options.features, options.cases)
    command.log.info("%d cases, %d slices, %d features", *found.shape[1:])


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--settings", required=True, help="draws, augment and seed, as JSON")
    options.add_argument("--train", type=Path, required=True, help="the list of training cases")
    options.add_argument("--val", type=Path, required=True, help="the list of validation cases")
    options.add_argument("--checkpoint", type=Path, required=True, help="of the slice network")
    options.add_argument("--features", type=Path, required=True, help="output")
    options.add_argument("--cases", type=Path, required=True, help="output: the order of cases")
    command.run(main, options)
