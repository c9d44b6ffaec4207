"""Train the network of an arm on pictures, single slices of volumes, or whole volumes."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.models import OVER_VOLUMES, build_pretrained
from triage.training.checkpoint import read_weights
from triage.training.job import Blueprint, Job, TrainingArguments


def main(arguments: TrainingArguments, statistics: Path, pretrained: Path | None = None) -> None:
    job = Job(arguments, statistics=statistics, pretrained=pretrained)
    with job.group():
        normalisation, reference = job.preprocessing(statistics)
        weights = read_weights(pretrained) if pretrained else None
        job.seed_weights()
        model = job.recipe.model
        network = job.place(build_pretrained(model, job.images.channels, len(job.outputs), weights))
        whole = model.architecture in OVER_VOLUMES
        samples = job.image_samples(network, normalisation, whole)
        job.run(network, samples, Blueprint(model, None, normalisation, reference))


if __name__ == "__main__":
    command.run(main)
