"""torch's Adam, AdamW and SGD in their fused form: one call a step for all weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from triage.training import settings


def make(weights: Iterable[nn.Parameter], options: settings.Optimizer) -> torch.optim.Optimizer:
    """The optimizer that the settings name."""
    shared: Any = {"lr": options.lr, "weight_decay": options.weight_decay, "fused": True}
    if options.name == "adam":
        return torch.optim.Adam(weights, **shared)
    if options.name == "adamw":
        return torch.optim.AdamW(weights, **shared)
    sgd = torch.optim.SGD(weights, momentum=options.momentum, **shared)
    if options.momentum:
        # From zero: torch's own would not be set by a first step that is skipped.
        for each in sgd.param_groups[0]["params"]:
            sgd.state[each]["momentum_buffer"] = torch.zeros_like(each)
    return sgd


def step(optimizer: torch.optim.Optimizer, lr: float, is_bad: Tensor) -> None:
    """Take a step; where ``is_bad`` is 1 on the device, everything stays as it was."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.found_inf = is_bad.float()  # type: ignore[attr-defined]  # as GradScaler hands it over
    optimizer.step()
