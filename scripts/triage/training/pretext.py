"""Weights made offline: a network learns to tell families of generated pictures apart.

What it learns of edges, spots and textures is a start for other pictures, as in self-made tasks
of representation learning (Gidaris et al., ICLR 2018; Baradad et al., NeurIPS 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triage.command import log
from triage.data.phantoms import textures
from triage.models import ModelSettings, build
from triage.training import draws

PLACE = int.from_bytes(b"pretext", "little")


@dataclass(frozen=True)
class PretextSettings:
    """``images`` of ``size`` pixels are generated; the network sees each once an epoch."""

    source: Literal["pretext"]
    architecture: str
    options: dict[str, Any]
    seed: int
    images: int
    size: int
    epochs: int
    batch: int
    rate: float


def learn(settings: PretextSettings) -> dict[str, Tensor]:
    """The weights of a network that has learned the families; its last layers are left out."""
    pictures, families = textures.generate(settings.seed, settings.images, settings.size)
    model = ModelSettings(settings.architecture, "none", settings.options)
    # Drawn apart, so that a network of the same seed does not begin where this one did.
    torch.manual_seed(draws.generator_seed(settings.seed, PLACE))
    network = build(model, 3, len(textures.FAMILIES))
    _train(network, pictures, families, settings)
    state = network.eval().state_dict()
    return {name: each for name, each in state.items() if name.startswith("backbone.")}


def _train(
    network: nn.Module,
    pictures: NDArray[np.uint8],
    families: NDArray[np.int64],
    settings: PretextSettings,
) -> None:
    inputs = torch.from_numpy(pictures)
    targets = torch.from_numpy(families)
    optimizer = torch.optim.Adam(network.parameters(), settings.rate)
    steps = settings.epochs * -(-len(inputs) // settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, steps)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for epoch in range(settings.epochs):
        order = draws.order(settings.seed, epoch, np.arange(len(inputs), dtype=np.uint64))
        right, total = 0, 0.0
        for rows in torch.from_numpy(order).split(settings.batch):
            batch = (inputs[rows].float() - 127.5) / 64
            logits = network(batch.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(logits, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right += int((logits.argmax(1) == targets[rows]).sum())
            total += float(loss.detach()) * len(rows)
        shares = total / len(inputs), right / len(inputs)
        log.info("epoch %d: loss %.3f, accuracy %.3f", epoch + 1, *shares)
