"""The moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of ``network`` whose weights follow it: average += (1 - decay) x (weights - average).

    The running statistics of batch norm are averaged alike.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self._followed = _numbers(network)
        self._averages = _numbers(self.network)

    @torch.no_grad()
    def update(self) -> None:
        torch._foreach_lerp_(self._averages, self._followed, 1 - self.decay)


def _numbers(network: nn.Module) -> list[Tensor]:
    return [each for each in network.state_dict().values() if each.is_floating_point()]
