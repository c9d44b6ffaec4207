"""Train the network of an arm on single images: slices of volumes, or pictures."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.data.reference import Reference
from triage.files import read_json
from triage.models import build_pretrained
from triage.settings import convert
from triage.training.checkpoint import read_weights
from triage.training.job import Blueprint, Job, TrainingArguments
from triage.training.normalise import Normalisation


def main(arguments: TrainingArguments, statistics: Path, pretrained: Path | None = None) -> None:
    job = Job(arguments, statistics=statistics, pretrained=pretrained)
    with job.group():
        measured = read_json(statistics)
        channels = job.images.channels
        normalisation = Normalisation.of(job.recipe.input, measured, channels)
        weights = read_weights(pretrained) if pretrained else None
        job.seed_weights()
        model = job.recipe.model
        network = job.place(build_pretrained(model, channels, len(job.outputs), weights))
        samples = job.image_samples(network, normalisation, whole=False)
        reference = convert(Reference, measured["reference"], "statistics.reference")
        job.run(network, samples, Blueprint(model, None, normalisation, reference))


if __name__ == "__main__":
    command.run(main)
