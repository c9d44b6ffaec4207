"""Dense layers on the pixels themselves."""

from __future__ import annotations

from torch import Tensor, nn

from triage.models.heads import Head
from triage.models.shapes import check_size


class Fcnn(nn.Module):
    """For pictures [batch, channels, size, size]."""

    def __init__(self, channels: int, outputs: int, size: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.head = Head(channels * size * size, outputs, hidden)

    def forward(self, x: Tensor) -> Tensor:
        check_size(x, self.size)
        return self.head(x.flatten(1))


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: int = 224,
    hidden: tuple[int, ...] = (128, 64, 32),
) -> Fcnn:
    """``fcnn``: ``hidden`` are the widths of the layers before the last one."""
    return Fcnn(channels, outputs, size, hidden)
