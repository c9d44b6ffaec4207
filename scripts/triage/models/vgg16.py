"""The convolutions of VGG-16 with a head of dense layers."""

from __future__ import annotations

from torch import nn

from triage.constraints import Count, Dropout, Pixels
from triage.models.heads import Head
from triage.models.sized import SizedNetwork
from triage.models.vision import models


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: Pixels = 256,
    hidden: tuple[Count, ...] = (512, 128),
    dropout: Dropout = 0.0,
    freeze: bool = True,
) -> SizedNetwork:
    """``vgg16``: ``hidden`` are the widths of the dense layers before the last one.

    With ``freeze`` only the head learns: 16,843,521 of its weights at 256 pixels.
    """
    backbone = _convolutions(channels).append(nn.Flatten()).requires_grad_(not freeze)
    head = Head(512 * (size // 32) ** 2, outputs, hidden, dropout)
    return SizedNetwork(backbone, head, size)


def _convolutions(channels: int) -> nn.Sequential:
    # Without torchvision's own dense layers, whose 120 million weights would be drawn for nothing.
    layers: nn.Sequential = models.vgg.make_layers(models.vgg.cfgs["D"])
    if channels != 3:
        layers[0] = nn.Conv2d(channels, 64, 3, padding=1)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return layers
