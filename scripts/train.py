"""Train the network of an arm on single images: slices of volumes, or pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data.reference import Reference
from triage.files import read_json
from triage.models import build_pretrained
from triage.settings import convert
from triage.training.checkpoint import read_weights
from triage.training.job import Blueprint, Job, training_parser
from triage.training.normalise import Normalisation


def main(options: argparse.Namespace) -> None:
    job = Job(options, statistics=options.statistics, pretrained=options.pretrained)
    with job.group():
        statistics = read_json(options.statistics)
        channels = job.images.channels
        normalisation = Normalisation.of(job.recipe.input, statistics, channels)
        weights = read_weights(options.pretrained) if options.pretrained else None
        job.seed_weights()
        model = job.recipe.model
        network = job.place(build_pretrained(model, channels, len(job.outputs), weights))
        samples = job.image_samples(network, normalisation, whole=False)
        reference = convert(Reference, statistics["reference"], "statistics.reference")
        job.run(network, samples, Blueprint(model, None, normalisation, reference))


if __name__ == "__main__":
    parser = training_parser(__doc__)
    parser.add_argument("--statistics", type=Path, required=True, help="of the training part")
    parser.add_argument(
        "--pretrained", type=Path, nargs="?", help="pretrained, for arms that want them"
    )
    command.run(main, parser)
