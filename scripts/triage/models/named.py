"""Networks that a library builds by their names."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from triage.errors import UserError
from triage.models.headed import HeadedNetwork
from triage.models.heads import Head
from triage.models.sized import refuse_other_sizes


class NamedNetwork(HeadedNetwork):
    """As its parent, for pictures of one ``size``, or of any from ``least`` pixels a side.

    Raises UserError for pictures that the backbone can't take.
    """

    def __init__(
        self, backbone: nn.Module, head: Head, freeze: bool, size: int | None, least: int = 1
    ) -> None:
        super().__init__(backbone, head, freeze)
        self.size = size
        self.least = least

    def _pooled(self, x: Tensor) -> Tensor:
        if self.size is not None:
            refuse_other_sizes(x, self.size)
        height, width = x.shape[-2:]
        if min(height, width) < self.least:
            raise UserError(
                f"the pictures are {height} x {width} pixels, too small for this network",
                where="model.options.network",
                remedy=f"at least {self.least} a side (images.size, input.resize), or another one",
            )
        return super()._pooled(x)


def refuse_unknown(network: str, known: Sequence[str], library: str) -> None:
    """Raise UserError with the most alike names where ``network`` is none of ``known``."""
    if network in known:
        return
    alike = difflib.get_close_matches(network.casefold(), known, 5, 0.5)
    raise UserError(
        f"{network!r} is no network of {library}",
        where="model.options.network",
        remedy=f"did you mean {', '.join(alike)}?" if alike else f"such as {', '.join(known[:5])}",
    )


def built(build: Callable[[], nn.Module], network: str, size: int | None) -> nn.Module:
    """What ``build`` gives. Raises UserError where it can't be built for pictures of ``size``."""
    try:
        return build()
    except (AssertionError, TypeError, ValueError) as error:
        if size is None:
            raise
        raise UserError(
            f"{network} can't be built for {size} pixels ({error})",
            where="model.options.size",
            remedy="another number, or null for a network that takes any size",
        ) from error
