"""A study's training on random images in memory, for the benchmarks."""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from triage_workflow.params import Params

import bench
from triage.data.image_store import Images, Shard
from triage.models import build
from triage.settings import convert
from triage.training import job, placement
from triage.training.cases import Cases
from triage.training.images import ImageData
from triage.training.loop import Trainer, Window, _steps
from triage.training.normalise import Normalisation
from triage.training.samples import ImageSamples
from triage.training.settings import Balance, Recipe
from triage.training.state import Keeper

PARAMS = Params.read(bench.ROOT / "presets" / "demo.yaml")


@dataclass
class Training:
    """A trainer, its samples, and the windows of one epoch."""

    trainer: Trainer
    samples: ImageSamples
    images: int

    @property
    def steps(self) -> int:
        return len(self._bounds())

    def _bounds(self) -> list[Any]:
        return _steps(len(self.samples), self.trainer.recipe.batch_size, 1)

    def windows(self) -> Iterator[Window]:
        plan = self.trainer._plan()
        return self.trainer._windows(plan, self._bounds())

    def epoch(self) -> None:
        """Every step of an epoch, each on its own batch."""
        steps = self.steps
        for window in self.windows():
            self.trainer._take_step(window, steps)

    def resident(self, window: Window) -> None:
        """As many steps, all on one batch that is there already."""
        steps = self.steps
        for _ in range(steps):
            self.trainer._take_step(window, steps)

    def data_path(self) -> None:
        """The batches of an epoch alone."""
        for _ in self.windows():
            pass


def recipe(study: str, arm: str, **changes: Any) -> Recipe:
    """The recipe of an arm of the demo, with changes."""
    found = convert(Recipe, PARAMS.arms(study)[arm].recipe, arm)
    whole = dataclasses.replace(found.input, slices=None, crop=None, resize=None)
    # Balancing would make copies, and so more samples than there are images.
    usual = {"input": whole, "balance": Balance("none", "all")}
    return dataclasses.replace(found, **usual | changes)


def first_arm(study: str) -> str:
    return next(name for name, arm in PARAMS.arms(study).items() if arm.stage == "training")


def prepare(
    recipe: Recipe, images: int, channels: int, size: int, threads: int = 1, device: str = "cpu"
) -> Training:
    """A training on ``images`` random images of ``size`` x ``size`` pixels, set up as a job's."""
    options = argparse.Namespace(threads=threads, device=device)
    place = job.prepare(options, recipe.deterministic)
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    stack = random.integers(0, 256, (images, channels, size, size), np.uint8)
    names = tuple(f"case{i:05d}" for i in range(images))
    stored = Images([Shard.of(stack, names)])
    network = placement.place(build(recipe.model, channels, 1), place, recipe)
    channels_last = placement.takes_channels_last(network, recipe)
    normalisation = Normalisation((127.0,) * channels, (73.0,) * channels)
    data = ImageData(stored, names, recipe.input, normalisation, place, channels_last)
    cases = Cases(names, tuple(("no", "yes")[i % 2] for i in range(images)))
    samples = data.samples(cases, ("yes",), False, recipe.augment, 1)
    keeper = Keeper(Path(tempfile.mkdtemp()) / "run.state", 1e9)
    trainer = Trainer(network, samples, samples, recipe, 1, ("yes",), keeper)
    return Training(trainer, samples, images)
