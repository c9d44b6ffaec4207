"""Can an arm's network learn a few hundred training cases by heart? If not, something is broken.

The arm's own recipe, but for what keeps a network from learning by heart: no augmentation, no
balancing, no early stopping. The cases are their own validation part; no other case is seen.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from triage import command
from triage.errors import UserError
from triage.files import ensure_writable, write_json
from triage.models import OVER_VOLUMES, build_pretrained
from triage.settings import parse
from triage.training.cases import Cases, Parts
from triage.training.checkpoint import read_weights
from triage.training.job import Job, RunArguments
from triage.training.limit import TimeLimit
from triage.training.loop import Trainer
from triage.training.settings import MemoriseSettings


def main(
    arguments: RunArguments,
    goal: str,
    statistics: Path,
    memorised: Path,
    pretrained: Path | None = None,
) -> None:
    """Write how well the cases were learnt; raises UserError where it was not well enough."""
    ensure_writable(memorised)
    settings = parse(MemoriseSettings, goal)
    job = Job(arguments, statistics=statistics, pretrained=pretrained)
    job.parts = _chosen(job.parts, settings.cases, job.settings.seed)
    channels = job.images.channels
    normalisation, _ = job.preprocessing(statistics)
    weights = read_weights(pretrained) if pretrained else None
    job.seed_weights()
    network = job.place(build_pretrained(job.recipe.model, channels, len(job.outputs), weights))
    whole = job.recipe.model.architecture in OVER_VOLUMES
    samples = job.image_samples(network, normalisation, whole)
    keeper = job.keeper(f"memorise-{json.dumps(goal)}")
    limit = TimeLimit.of_job(arguments.time_limit)
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
        write_json(found, memorised)


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
    command.run(main)
