"""Networks whose dense layers fit one picture size only."""

from __future__ import annotations

from torch import Tensor, nn

from triage.errors import UserError


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
        if tuple(x.shape[-2:]) != (self.size, self.size):
            height, width = x.shape[-2:]
            raise UserError(
                f"the pictures are {height} x {width} pixels, the network's size is {self.size}",
                where="model.options.size",
                remedy="set it to the pictures' size: images.size, or input.crop where that is set",
            )
        return self.head(self.backbone(x))
