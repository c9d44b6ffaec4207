"""The convolutions of VGG-16 with a head of dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triage.models.heads import Head
from triage.models.shapes import check_size
from triage.models.vision import models


class Vgg16(nn.Module):
    """With ``freeze`` only the head learns: 16,843,521 of its weights at 256 pixels."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        size: int,
        hidden: tuple[int, ...],
        dropout: float,
        freeze: bool,
    ) -> None:
        super().__init__()
        self.size = size
        self.freeze = freeze
        self.backbone = _convolutions(channels)
        self.head = Head(512 * (size // 32) ** 2, outputs, hidden, dropout)
        self.backbone.requires_grad_(not freeze)

    def forward(self, x: Tensor) -> Tensor:
        check_size(x, self.size)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            x = self.backbone(x)
        return self.head(x.flatten(1))


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: int = 256,
    hidden: tuple[int, ...] = (512, 128),
    dropout: float = 0.0,
    freeze: bool = True,
) -> Vgg16:
    """``vgg16``: ``hidden`` are the widths of the dense layers before the last one."""
    return Vgg16(channels, outputs, size, hidden, dropout, freeze)


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
