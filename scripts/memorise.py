"""Can an arm's network learn a few hundred training cases by heart? If not, something is broken.

The arm's own recipe, but for what keeps a network from learning by heart: no augmentation, no
balancing, no early stopping. The cases are their own validation part; no other case is seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from triage import command
from triage.errors import UserError
from triage.files import read_json, write_json
from triage.models import build_pretrained
from triage.settings import parse
from triage.training.cases import Cases, Parts
from triage.training.checkpoint import read_weights
from triage.training.job import Job, training_options
from triage.training.limit import TimeLimit
from triage.training.loop import Trainer
from triage.training.normalise import Normalisation
from triage.training.settings import MemoriseSettings


def main(options: argparse.Namespace) -> None:
    """Write how well the cases were learnt; raises UserError where it was not well enough."""
    settings = parse(MemoriseSettings, options.goal)
    job = Job(options, statistics=options.statistics, pretrained=options.pretrained)
    job.parts = _chosen(job.parts, settings.cases, job.settings.seed)
    statistics, channels = read_json(options.statistics), job.images.channels
    normalisation = Normalisation.of(job.recipe.input, statistics, channels)
    weights = read_weights(options.pretrained) if options.pretrained else None
    job.seed_weights()
    network = job.place(build_pretrained(job.recipe.model, channels, len(job.outputs), weights))
    samples = job.image_samples(network, normalisation, whole=False)
    keeper = job.keeper(f"memorise-{json.dumps(options.goal)}")
    limit = TimeLimit.of_job(options.time_limit)
    run, outputs = job.settings, job.outputs
    trainer = Trainer(
        network, *samples, job.recipe, run.seed, outputs, keeper, limit=limit, task=run.task
    )
    trained = trainer.run()
    accuracies = [row["val_accuracy"] for row in trained.history]
    reached = [i for i, each in enumerate(accuracies, start=1) if each >= settings.accuracy]
    learnt = (
        f"{max(accuracies):.4f} of {len(job.parts.train)} cases within {len(accuracies)} epochs"
    )
    if not reached:
        keeper.remove()
        raise UserError(
            f"learnt only {learnt} by heart, not {settings.accuracy:g}",
            where=f"{job.settings.study}, arm {job.settings.arm}",
            remedy="look at its lr, its input and its size, or raise memorise.epochs",
        )
    command.log.info("learnt %s by heart, the first time in epoch %d", learnt, reached[0])
    found = {
        "cases": len(job.parts.train),
        "accuracy": max(accuracies),
        "epochs": len(accuracies),
        "reached_in_epoch": reached[0],
        "accuracy_by_epoch": accuracies,
    }
    with trainer.handing_over():
        write_json(found, options.output)


def _chosen(parts: Parts, count: int, seed: int) -> Parts:
    """``count`` training cases, or all there are, as both parts."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(parts.train))[:count])
    cases = Cases(
        tuple(parts.train.names[row] for row in rows),
        tuple(parts.train.labels[row] for row in rows),
    )
    return Parts(cases, cases)


if __name__ == "__main__":
    parser = training_options(__doc__)
    parser.add_argument("--statistics", type=Path, required=True, help="of the training part")
    parser.add_argument("--pretrained", type=Path, nargs="?", help="pretrained")
    parser.add_argument("--goal", required=True, help="cases, epochs and accuracy, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="to write")
    command.run(main, parser)
