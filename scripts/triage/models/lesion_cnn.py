"""A small CNN for pictures of lesions, and what an ablation chain adds to it, piece by piece."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from triage.constraints import Dropout, Pixels
from triage.models.dropout import FastDropout
from triage.models.sized import SizedNetwork

Norm = Literal["none", "batch", "group"]
# Four channels a group, as the source has it: 4 groups of 16, 8 groups of 32.
GROUP = 4
DENSE = 100


class ResidualBlock(nn.Module):
    """Two convolutions, the first with stride 2, and a 1 x 1 shortcut beside them."""

    def __init__(self, channels: int, width: int, norm: Norm) -> None:
        super().__init__()
        plain = norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=plain),
            _norm(norm, width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=plain),
            _norm(norm, width),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels, width, 1, stride=2, bias=plain), _norm(norm, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: Pixels = 128,
    norm: Norm = "none",
    dropout: tuple[Dropout, Dropout] = (0.0, 0.0),
    residual: bool = False,
) -> SizedNetwork:
    """``lesion_cnn``, two convolutions and two dense layers.

    ``dropout`` acts after convolutions and before the last layer. ``residual`` puts a residual
    block in the place of the second convolution.
    """
    spatial, dense = dropout
    # Weights are drawn in this order.
    second = [ResidualBlock(16, 32, norm)] if residual else _convolution(16, 32, norm)
    first = _convolution(channels, 16, norm)
    backbone = nn.Sequential(*first, FastDropout(spatial), *second, FastDropout(spatial))
    head = nn.Sequential(
        nn.Flatten(),
        nn.Linear(32 * (size // 4) ** 2, DENSE),
        nn.BatchNorm1d(DENSE) if norm == "batch" else nn.Identity(),
        nn.ReLU(),
        FastDropout(dense),
        nn.Linear(DENSE, outputs),
    )
    return SizedNetwork(backbone, head, size)


def _convolution(channels: int, width: int, norm: Norm) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, 3, padding=1),
        _norm(norm, width),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


def _norm(norm: Norm, width: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(width)
    return nn.GroupNorm(width // GROUP, width) if norm == "group" else nn.Identity()
