"""Five blocks of convolution, batch norm and pooling, then two dense layers."""

from __future__ import annotations

from torch import nn

from triage.constraints import Count, Dropout, Pixels
from triage.models.dropout import FastDropout
from triage.models.sized import SizedNetwork

WIDTHS = (32, 64, 64, 128, 256)


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: Pixels = 128,
    dropout: tuple[Dropout, Dropout, Dropout, Dropout, Dropout] = (0.1, 0.1, 0.1, 0.2, 0.2),
    hidden: Count = 512,
) -> SizedNetwork:
    """``cnn5``: ``dropout`` after each of the five blocks, ``hidden`` units before the end.

    At 128 grey pixels it has 2,524,033 weights.
    """
    layers: list[nn.Module] = []
    for width, share in zip(WIDTHS, dropout, strict=True):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(width)]
        layers += [nn.MaxPool2d(2), FastDropout(share)]
        channels = width
    flat = channels * (size // 2 ** len(WIDTHS)) ** 2
    head = nn.Sequential(
        nn.Flatten(),
        FastDropout(dropout[-1]),
        nn.Linear(flat, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )
    return SizedNetwork(nn.Sequential(*layers), head, size)
