"""Weights learned elsewhere, into a network that has a ``backbone``."""

from __future__ import annotations

from torch import Tensor, nn

from triage.errors import UserError

PREFIX = "backbone."


def transfer(weights: dict[str, Tensor], network: nn.Module) -> None:
    """Copy ``weights`` into ``network.backbone``; the head keeps its own.

    ``weights`` is the state of one of this project's networks, or a plain one as torchvision
    publishes it. One that another library wrote of the same network, under names of its own, is
    taken by the order of its tensors where each has the shape of the network's. Where only the
    number of image channels differs, the filters of the first layer are summed over their channels
    and shared out evenly, so that a grey image gives what three equal channels would. Raises
    UserError when a weight is missing or has another shape.
    """
    backbone = network.get_submodule("backbone")
    wanted = backbone.state_dict()
    given = {name.removeprefix(PREFIX): tensor for name, tensor in weights.items()}
    given = _by_order(given, wanted) or given
    missing = [
        name for name in wanted if name not in given and not name.endswith("num_batches_tracked")
    ]
    if missing:
        raise UserError(
            f"lack {len(missing)} of {len(wanted)} tensors of this network, first {missing[0]}",
            where="the pretrained weights",
            remedy="give weights of the same architecture",
        )
    fitting = {name: _fit(given.get(name, own), own, name) for name, own in wanted.items()}
    backbone.load_state_dict(fitting)


def _by_order(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """``given`` under the names ``wanted``, if they share none and all shapes agree in order.

    What is left at the end is the head of what was published.
    """
    if given.keys() & wanted.keys() or len(given) < len(wanted):
        return None
    pairs = dict(zip(wanted, given.values(), strict=False))
    agree = all(_fits(pairs[name], own) for name, own in wanted.items())
    return pairs if agree else None


def _fits(given: Tensor, own: Tensor) -> bool:
    """Whether the shapes agree, but for the number of channels that a convolution reads."""
    if given.ndim == own.ndim == 4:
        return given.shape[0] == own.shape[0] and given.shape[2:] == own.shape[2:]
    return given.shape == own.shape


def _fit(given: Tensor, own: Tensor, name: str) -> Tensor:
    if given.shape == own.shape:
        return given
    if _fits(given, own):
        shared = given.sum(1, keepdim=True) / own.shape[1]
        return shared.expand_as(own)
    raise UserError(
        f"{name} has the shape {list(given.shape)}, the network's is {list(own.shape)}",
        where="the pretrained weights",
        remedy="give weights of the same architecture",
    )
