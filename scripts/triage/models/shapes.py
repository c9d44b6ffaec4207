"""Networks whose dense layers fit one picture size only."""

from __future__ import annotations

from torch import Tensor

from triage.errors import UserError


def check_size(x: Tensor, size: int) -> None:
    """Raise UserError unless ``x`` [batch, channels, height, width] is ``size`` pixels square."""
    if tuple(x.shape[-2:]) != (size, size):
        raise UserError(
            f"the pictures are {x.shape[-2]} x {x.shape[-1]} pixels, the network's size is {size}",
            where="model.options.size",
            remedy="set it to the pictures' size: images.size, or input.crop where that is set",
        )
