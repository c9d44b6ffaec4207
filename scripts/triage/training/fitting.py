"""Models that are no networks, fitted to all training images at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from triage.models.floor import Floor
from triage.training.balance import Plan
from triage.training.inference import AT_ONCE, predict
from triage.training.losses import mean_loss, objective_for
from triage.training.precision import Autocast
from triage.training.samples import Samples, batches
from triage.training.scores import scores
from triage.training.settings import TrainingSettings

LOOKED_AT = 256  # images, by which ranges of intensity are laid


@torch.inference_mode()
def fit(
    floor: Floor, train: Samples, val: Samples | None, run: TrainingSettings, threads: int
) -> dict[str, float]:
    """Fit ``floor``; a row of the history, as of a single epoch."""
    every = max(1, len(train) // LOOKED_AT)
    floor.features.look(torch.cat(list(_images(train, every))))
    features = torch.cat([floor.features(each) for each in _images(train)])
    targets = train.targets.numpy()
    exclusive = run.task is run.task.MULTICLASS
    floor.fit(features.numpy(), targets, exclusive, run.seed, threads)
    objective = objective_for(run.task, run.recipe.loss, train.targets, ())
    learnt = floor.judge(features)
    row = {"epoch": 1, "lr": math.nan, "loss": mean_loss(objective, learnt, train.targets)}
    row["accuracy"] = scores(learnt.numpy(), targets, run.task)["accuracy"]
    row |= dict.fromkeys(("val_loss", "val_accuracy", "val_auc", "val_f1"), math.nan)
    if val is not None:
        logits = predict(floor, val, AT_ONCE, Autocast(val.targets.device, "float32"))
        found = scores(logits.numpy(), val.targets.numpy(), run.task)
        row["val_loss"] = mean_loss(objective, logits, val.targets)
        row |= {f"val_{name}": value for name, value in found.items()}
    return row | {"skipped": 0}


def _images(samples: Samples, every: int = 1) -> Iterator[Tensor]:
    """Batches of the images as they are, or of each one in so many."""
    rows = np.arange(0, len(samples), every)
    plan = Plan(rows, np.zeros_like(rows), np.full(len(rows), False))
    yield from samples.batches(plan, batches(0, len(rows), AT_ONCE), None)
