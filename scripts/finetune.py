"""Train the slice network and the sequence model on together, on whole volumes."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.errors import UserError
from triage.training.checkpoint import Checkpoint
from triage.training.job import Job, TrainingArguments


def main(arguments: TrainingArguments, parent: Path) -> None:
    job = Job(arguments, checkpoint=parent)
    start = Checkpoint.load(parent)
    if not start.over_volumes:
        raise UserError(
            "holds no sequence model",
            where=parent,
            remedy="start from an arm of the stage `sequence`",
        )
    with job.group():
        network = job.place(start.network("trained"))
        samples = job.image_samples(network, start.normalisation, whole=True)
        job.run(network, samples, job.blueprint(start, start.sequence))


if __name__ == "__main__":
    command.run(main)
