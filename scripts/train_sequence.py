"""Train the sequence model over the features of a trained slice network.

With a frozen slice network the features come from a file; where its batch norm is to drift, as
published, they are computed from the images in every epoch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from triage import command
from triage.errors import UserError
from triage.models.combined import Freezing
from triage.training.cases import Cases
from triage.training.checkpoint import Checkpoint, combine
from triage.training.features import read as read_features
from triage.training.job import Job, TrainingArguments
from triage.training.loop import State
from triage.training.samples import FeatureSamples, Samples


def main(
    arguments: TrainingArguments,
    parent: Path,
    features: Path | None = None,
    cases: Path | None = None,
) -> None:
    """``features`` are those of the network ``parent``, and ``cases`` their order."""
    job = Job(arguments, checkpoint=parent, features=features)
    settings = job.settings.sequence
    if settings is None:
        raise UserError("is null", where="settings.sequence", remedy="describe the sequence model")
    start = Checkpoint.load(parent)
    blueprint = job.blueprint(start, settings)
    with job.group():
        cnn = start.network()
        job.seed_weights()
        freezing: Freezing = "frozen" if settings.frozen else "drifting"
        network = job.place(combine(cnn, settings, len(job.outputs), freezing))
        if settings.frozen:
            sequence = network.get_submodule("sequence")
            samples = cached_samples(job, features, cases)
            job.run(sequence, samples, blueprint, lambda part: whole(network, part))
        else:
            samples = job.image_samples(network, start.normalisation, whole=True)
            job.run(network, samples, blueprint)


def whole(network: nn.Module, sequence: State) -> State:
    """The state of the whole network, with the sequence model's as trained."""
    return network.state_dict() | {f"sequence.{name}": each for name, each in sequence.items()}


def cached_samples(
    job: Job, path: Path | None, order: Path | None
) -> tuple[Samples, Samples | None]:
    """Training and validation samples of cached features."""
    if path is None or order is None:
        raise UserError("a frozen slice network needs its cached features", where="--features")
    array, names = read_features(path, order)
    features = torch.from_numpy(array).to(job.device)
    row_of = {name: i for i, name in enumerate(names)}

    def samples(cases: Cases) -> FeatureSamples:
        rows = torch.tensor([row_of[name] for name in cases.names], device=job.device)
        targets = cases.targets(job.outputs)
        return FeatureSamples(features[:, rows], cases.names, targets, job.settings.seed)

    return samples(job.parts.train), samples(job.parts.val) if len(job.parts.val) else None


if __name__ == "__main__":
    command.run(main)
