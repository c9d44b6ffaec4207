"""Dense layers on the pixels themselves."""

from __future__ import annotations

from torch import nn

from triage.constraints import Count, Pixels
from triage.models.heads import Head
from triage.models.sized import SizedNetwork


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: Pixels = 224,
    hidden: tuple[Count, ...] = (128, 64, 32),
) -> SizedNetwork:
    """``fcnn``: ``hidden`` are the widths of the layers before the last one."""
    return SizedNetwork(nn.Flatten(), Head(channels * size * size, outputs, hidden), size)
