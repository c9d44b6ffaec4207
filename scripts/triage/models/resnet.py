"""ResNet-18, -34 and -50 of torchvision with a head of dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triage.constraints import Count, Dropout
from triage.models.heads import Head
from triage.models.vision import models


class ResNet(nn.Module):
    """A ResNet ``backbone`` without its last layer, and a ``head``.

    With ``freeze`` only the head learns: the backbone gets no gradients and stays in evaluation
    mode whatever mode the network is in, so that its batch norm does not drift either.
    """

    def __init__(self, backbone: nn.Module, head: Head, freeze: bool) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.freeze = freeze
        if freeze:
            self.backbone.requires_grad_(False)
            self.backbone.eval()

    def train(self, mode: bool = True) -> ResNet:
        super().train(mode)
        if self.freeze:
            self.backbone.eval()
        return self

    @property
    def width(self) -> int:
        """The length of a feature vector."""
        return self.head.width

    def features(self, x: Tensor) -> Tensor:
        """The feature vectors [batch, width] of images [batch, channels, height, width]."""
        return self.head.features(self._pooled(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self._pooled(x))

    def _pooled(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            return self.backbone(x)


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    hidden: tuple[Count, ...] = (),
    dropout: Dropout = 0.0,
    freeze: bool = False,
) -> ResNet:
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
    return ResNet(backbone, head, freeze)
