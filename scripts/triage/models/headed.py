"""A network of two parts: a backbone that makes feature vectors, and a head of dense layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triage.models.heads import Head


class HeadedNetwork(nn.Module):
    """A ``backbone`` without its last layer, and a ``head``.

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

    def train(self, mode: bool = True) -> HeadedNetwork:
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
