"""Networks that a library builds by their names."""

from __future__ import annotations

from collections.abc import Callable

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


# What libraries raise for options that they can't build a network with.
REFUSALS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


def built(
    build: Callable[[], nn.Module], network: str, given: object, option: str = "size"
) -> nn.Module:
    """What ``build`` gives. Raises UserError where it can't with what is ``given`` as an option."""
    try:
        return build()
    except ImportError as error:
        raise UserError(
            f"{network} needs a package that is not installed ({_first_line(error)})",
            where="model.options.network",
            remedy="pip install --constraint constraints.txt with its name, or another network",
        ) from error
    except REFUSALS as error:
        if given is None:
            raise
        raise UserError(
            f"{network} can't be built with {given} ({_first_line(error)})",
            where=f"model.options.{option}",
            remedy=f"what {network} takes, or null",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def take_last_layer(backbone: nn.Module) -> int:
    """Leave out the layer that gives the logits; the length of what it would read.

    SqueezeNet's is a convolution, before the mean over the picture.
    """
    kinds = (nn.Linear, nn.Conv2d)
    layers = [each for each in backbone.named_modules() if isinstance(each[1], kinds)]
    name, last = layers[-1]
    backbone.set_submodule(name, nn.Identity())
    return last.in_features if isinstance(last, nn.Linear) else last.in_channels
