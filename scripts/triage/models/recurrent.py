"""Recurrent layers, which half precision is not for."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def read(network: nn.RNNBase, steps: Tensor) -> Tensor:
    """The outputs [batch, steps, width] of all steps, in float32 where autocast is on.

    On a GPU autocast would compute them in float16, whichever precision is asked for (torch's
    AutocastRNN.cpp): with bfloat16 nothing scales the loss, and small gradients become 0.
    """
    kind = steps.device.type
    # Not always: an exported graph knows no autocast, nor does every kind of device.
    if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return network(steps)[0]
    with torch.autocast(kind, enabled=False):
        return network(steps.float())[0]
