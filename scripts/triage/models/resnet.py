"""ResNet-18, -34 and -50 of torchvision with a head of dense layers."""

from __future__ import annotations

from torch import nn

from triage.constraints import Count, Dropout
from triage.models.headed import HeadedNetwork
from triage.models.heads import Head
from triage.models.vision import models


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    hidden: tuple[Count, ...] = (),
    dropout: Dropout = 0.0,
    freeze: bool = False,
) -> HeadedNetwork:
    """``resnet18``, ``resnet34`` or ``resnet50``.

    ``hidden`` are the widths of dense layers before the last one, ``dropout`` acts before the
    last layers, ``freeze`` fixes all but the head.
    """
    backbone = getattr(models, name)(weights=None)
    head = Head(backbone.fc.in_features, outputs, hidden, dropout)
    backbone.fc = nn.Identity()
    if channels != 3:
        backbone.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
    return HeadedNetwork(backbone, head, freeze)
