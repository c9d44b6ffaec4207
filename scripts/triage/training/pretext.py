"""Weights made offline: a network learns to tell families of generated pictures apart.

What it learns of edges, spots and textures is a start for other pictures, as in self-made tasks
of representation learning (Gidaris et al., ICLR 2018; Baradad et al., NeurIPS 2021).
"""

from __future__ import annotations

import numpy as np
import torch

from triage.data.image_store import Images, Shard
from triage.data.phantoms import textures
from triage.models import ModelSettings, build
from triage.models.pretrained import Pretext
from triage.training import rng
from triage.training.cases import Cases
from triage.training.images import ImageData
from triage.training.limit import TimeLimit
from triage.training.loop import State, Trainer
from triage.training.normalise import Normalisation
from triage.training.placement import place, takes_channels_last
from triage.training.samples import Samples
from triage.training.settings import Input, Optimizer, Recipe, Schedule, Select
from triage.training.state import Keeper

PLACE = int.from_bytes(b"pretext", "little")
MEAN, STD = (127.5,) * 3, (64.0,) * 3


def trainer(settings: Pretext, device: torch.device, keeper: Keeper, limit: TimeLimit) -> Trainer:
    """What trains a network to name the families, an output each."""
    recipe = _recipe(settings)
    # Drawn apart, so that a network of the same seed does not begin where this one did.
    torch.manual_seed(rng.generator_seed(settings.seed, PLACE))
    network = place(build(recipe.model, 3, len(textures.FAMILIES)), device, recipe)
    samples = _samples(settings, recipe, device, takes_channels_last(network, recipe))
    outputs = tuple(textures.FAMILIES)
    return Trainer(network, samples, None, recipe, settings.seed, outputs, keeper, limit=limit)


def backbone(weights: State) -> State:
    """The weights without those of the last layers, which know the families alone."""
    return {name: each for name, each in weights.items() if name.startswith("backbone.")}


def _samples(
    settings: Pretext, recipe: Recipe, device: torch.device, channels_last: bool
) -> Samples:
    pictures, families = textures.generate(settings.seed, settings.images, settings.size)
    names = tuple(f"{number:09d}" for number in range(settings.images))
    images, normalisation = Images([Shard.of(pictures, names)]), Normalisation(MEAN, STD)
    data = ImageData(images, names, recipe.input, normalisation, device, channels_last)
    labels = tuple(np.array(list(textures.FAMILIES))[families])
    return data.samples(Cases(names, labels), tuple(textures.FAMILIES), whole=False)


def _recipe(settings: Pretext) -> Recipe:
    """As plain as a recipe can be: the task is easy, and there is no end of pictures."""
    return Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        optimizer=Optimizer("adam", settings.lr),
        schedule=Schedule("cosine", min_lr=0.0, warmup_epochs=1),
        select=Select("last"),
        max_skipped=0.0,
        input=Input(normalise="fixed", mean=MEAN, std=STD),
        model=ModelSettings(settings.architecture, "none", settings.options),
    )
