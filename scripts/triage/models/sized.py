"""Networks whose dense layers fit one picture size only."""

from __future__ import annotations

from torch import Tensor, nn

from triage.errors import UserError


def refuse_other_sizes(x: Tensor, size: int) -> None:
    """Raise UserError for pictures [..., height, width] that are not ``size`` pixels a side."""
    if tuple(x.shape[-2:]) != (size, size):
        height, width = x.shape[-2:]
        raise UserError(
            f"the pictures are {height} x {width} pixels, the network's size is {size}",
            where="model.options.size",
            remedy="set it to the pictures' size: images.size, or input.crop where that is set",
        )


class SizedNetwork(nn.Module):
    """A ``backbone`` and a ``head``, for pictures [batch, channels, size, size].

    Raises UserError for pictures of another size.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        refuse_other_sizes(x, self.size)
        return self.head(self.backbone(x))
