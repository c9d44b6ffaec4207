"""Where a network's tensors lie: on which device, and in which memory format."""

from __future__ import annotations

import torch
from torch import nn

from triage.training.settings import Recipe


def place(network: nn.Module, device: torch.device, recipe: Recipe) -> nn.Module:
    """The network on ``device``, in the memory format that suits it."""
    network = network.to(device)
    if takes_channels_last(network, recipe):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def takes_channels_last(network: nn.Module, recipe: Recipe) -> bool:
    """Convolutions gain on channels-last tensors, but group norm loses more."""
    parts = list(network.modules())
    convolves = any(isinstance(each, nn.Conv2d) for each in parts)
    has_group_norm = any(isinstance(each, nn.GroupNorm) for each in parts)
    return recipe.channels_last and convolves and not has_group_norm
