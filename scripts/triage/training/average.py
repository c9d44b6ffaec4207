"""The moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of ``network`` whose weights follow it: average += (1 - d) x (weights - average).

    At update n, d is the smaller of ``decay`` and (1 + n) / (10 + n), so that the random first
    weights are soon forgotten: with a decay of 0.999 alone they would still be 0.89 of the average
    after 120 updates. It is the warm-up of TensorFlow's ExponentialMovingAverage with
    ``num_updates``; timm's ModelEmaV3 has one of another form. The running statistics of batch
    norm are averaged in the same way.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        # A copied recurrent layer is in pieces, which cuDNN would join anew at every call. To be
        # done first: joining moves the weights to other memory.
        for each in self.network.modules():
            if isinstance(each, nn.RNNBase):
                each.flatten_parameters()
        self.decay = decay
        self.updates = 0
        self._followed = _numbers(network)
        self._averages = _numbers(self.network)

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._averages, self._followed, 1 - decay)

    def state(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "updates": self.updates}

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.updates = state["updates"]


def _numbers(network: nn.Module) -> list[Tensor]:
    return [each for each in network.state_dict().values() if each.is_floating_point()]
