"""torch's Adam, AdamW and SGD in their fused form: one call a step for all weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from triage.training import settings

BANDS = 8  # of layers that learn at one rate, at most


def make(network: nn.Module, options: settings.Optimizer) -> torch.optim.Optimizer:
    """The optimizer that the settings name, for what is to learn of a network."""
    weights = _groups(network, options.first_layer)
    shared: Any = {"lr": options.lr, "weight_decay": options.weight_decay, "fused": True}
    if options.name == "adam":
        return torch.optim.Adam(weights, **shared)
    if options.name == "adamw":
        return torch.optim.AdamW(weights, **shared)
    sgd = torch.optim.SGD(weights, momentum=options.momentum, **shared)
    if options.momentum:
        # From zero: torch's own would not be set by a first step that is skipped.
        for group in sgd.param_groups:
            for each in group["params"]:
                sgd.state[each]["momentum_buffer"] = torch.zeros_like(each)
    return sgd


def _groups(network: nn.Module, first: float) -> list[dict[str, Any]]:
    """The weights that learn, in bands from the first layer to the last, and each band's share of
    the learning rate, which rises by equal factors from ``first`` to 1."""
    known: set[nn.Parameter] = set()  # a weight may be in several layers
    learning = []
    for module in network.modules():
        own = module.parameters(recurse=False)
        layer = [each for each in own if each.requires_grad and each not in known]
        known.update(layer)
        learning += [layer] if layer else []
    bands = 1 if first == 1 else min(BANDS, len(learning))
    groups: list[dict[str, Any]] = [
        {"params": [], "share": first ** (1 - band / (bands - 1)) if bands > 1 else 1.0}
        for band in range(bands)
    ]
    for place, layer in enumerate(learning):
        groups[place * bands // len(learning)]["params"] += layer
    return groups


def step(optimizer: torch.optim.Optimizer, lr: float, is_bad: Tensor) -> None:
    """Take a step; where ``is_bad`` is 1 on the device, everything stays as it was."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["share"]
    optimizer.found_inf = is_bad.float()  # type: ignore[attr-defined]  # as GradScaler hands it over
    optimizer.step()
