"""Trains small networks in double precision, in one process or, by torchrun, in several.

Rounding is out of the way then: what is left of a difference is a mistake.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import nn

from training_runs import cohort, recipe, samples
from triage.training import distributed
from triage.training.loop import Trained, Trainer
from triage.training.state import Keeper


def network() -> nn.Module:
    """With both kinds of batch norm, over features [2, 3]."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (2, 1)),
        nn.Conv2d(2, 4, (1, 2)),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Linear(8, 1),
    )


def train(changes: dict, scratch: Path) -> Trained:
    parts = []
    for seed, count in ((0, 51), (1, 20)):
        features, targets = cohort(count, seed=seed)
        parts.append(samples(features.double(), targets.astype("float64")))
    keeper = Keeper(scratch / "run.state", every=1e9)
    return Trainer(network(), *parts, recipe(**changes), 1, ("class0",), keeper).run()


def main(kinds: str, output: str) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    found = {}
    with distributed.group(torch.device("cpu")):
        for kind, changes in json.loads(kinds).items():
            trained = train(changes, Path(output).parent / kind)
            found[kind] = trained.weights | {"history": history(trained)}
    if distributed.is_main_process():
        torch.save(found, output)


def history(trained: Trained) -> torch.Tensor:
    return torch.tensor([list(row.values()) for row in trained.history])


if __name__ == "__main__":
    main(*sys.argv[1:])
