"""The moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Weights = list[Tensor] | tuple[Tensor, ...]


class MovingAverage(AveragedModel):
    """A copy of ``network`` whose weights follow it: average += (1 - d) x (weights - average).

    At update n, d is the smaller of ``decay`` and (1 + n) / (10 + n), so that the random first
    weights are soon forgotten: with a decay of 0.999 alone they would still be 0.89 of the average
    after 120 updates. It is the warm-up of TensorFlow's ExponentialMovingAverage with
    ``num_updates``; timm's ModelEmaV3 has one of another form. The running statistics of batch
    norm are averaged in the same way.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=self._follow, use_buffers=True)
        self.requires_grad_(False)
        self.n_averaged.fill_(1)  # the first weights count: else the first update would copy
        self.decay = decay
        # A copied recurrent layer is in pieces, which cuDNN would join anew at every call.
        for each in self.modules():
            if isinstance(each, nn.RNNBase):
                each.flatten_parameters()

    @torch.no_grad()
    def _follow(self, averages: Weights, followed: Weights, _: Tensor | int) -> None:
        if averages[0].is_floating_point():
            updates = int(self.n_averaged)  # on the CPU, so that the device is not waited for
            decay = min(self.decay, (1 + updates) / (10 + updates))
            torch._foreach_lerp_(averages, followed, 1 - decay)
