"""Fit an arm that is no network to the training images: slices of volumes, or pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

from triage import command
from triage.models import build
from triage.models.floor import Floor
from triage.training.fitting import fit
from triage.training.job import Blueprint, Job, TrainingArguments
from triage.training.loop import Trained


def main(arguments: TrainingArguments, statistics: Path) -> None:
    job = Job(arguments, statistics=statistics)
    job.packages += ("scikit-learn",)
    started = time.monotonic()
    normalisation, reference = job.preprocessing(statistics)
    model = job.recipe.model
    floor = cast(Floor, build(model, job.images.channels, len(job.outputs)))
    samples = job.image_samples(floor, normalisation, whole=False)
    row = fit(floor, *samples, job.settings, arguments.threads)
    seconds = time.monotonic() - started
    trained = Trained(floor.state_dict(), 1, [row], [seconds])
    blueprint = Blueprint(model, None, normalisation, reference)
    job.write(trained, trained.weights, blueprint, job.record(trained, floor, seconds))
    command.log.info("%d cases, validation ROC AUC %.3f", len(job.parts.train), row["val_auc"])


if __name__ == "__main__":
    command.run(main)
