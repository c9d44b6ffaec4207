"""Train the slice network and the sequence model on together, on whole volumes."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.errors import UserError
from triage.training.checkpoint import Checkpoint
from triage.training.job import Job, training_parser


def main(options: argparse.Namespace) -> None:
    job = Job(options, checkpoint=options.from_checkpoint)
    start = Checkpoint.load(options.from_checkpoint)
    if not start.over_volumes:
        raise UserError(
            "holds no sequence model",
            where=options.from_checkpoint,
            remedy="start from an arm of the stage `sequence`",
        )
    with job.group():
        network = job.place(start.network("trained"))
        samples = job.image_samples(network, start.normalisation, whole=True)
        job.run(network, samples, job.blueprint(start, start.sequence))


if __name__ == "__main__":
    parser = training_parser(__doc__)
    parser.add_argument("--from-checkpoint", type=Path, required=True, help="of the sequence stage")
    command.run(main, parser)
