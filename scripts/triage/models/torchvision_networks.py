"""Any network for classification that torchvision has, by its name there."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import nn

from triage.constraints import Count, Dropout, Pixels, Text
from triage.errors import UserError
from triage.models.heads import Head
from triage.models.libraries import least_size, refuse_unknown
from triage.models.named import NamedNetwork, built, take_last_layer
from triage.models.vision import models

# The keyword for the size of those that take one size only, and that size.
SIZED: dict[str, tuple[str, int]] = {"vit": ("image_size", 224), "maxvit": ("input_size", 224)}
AUXILIARY = ("googlenet", "inception")  # with classifiers half way


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    network: Text = "mobilenet_v3_small",
    size: Pixels | None = None,
    hidden: tuple[Count, ...] = (),
    dropout: Dropout = 0.0,
    freeze: bool = False,
) -> NamedNetwork:
    """``torchvision``: ``network`` is a name of torchvision's list of models for classification.

    ``size`` is the pictures' size for the ViTs and MaxViT, which take one only (null: 224); it is
    null for all others, which take any from about 32 pixels (AlexNet 63, Inception 75). ``hidden``
    are the widths of dense layers before the last one, ``dropout`` acts before the last layers,
    ``freeze`` fixes all but the head.
    """
    refuse_unknown(network, "torchvision")
    family = network.partition("_")[0]
    keyword, usual = SIZED.get(family, (None, None))
    if size and not keyword:
        raise UserError(
            f"{network} takes pictures of any size",
            where="model.options.size",
            remedy="set it to null; size is for the ViTs and MaxViT",
        )
    size = size or usual
    backbone = built(partial(_plain, network, _keywords(family, keyword, size)), network, size)
    width = take_last_layer(backbone)
    if channels != 3:
        _set_channels(backbone, channels)
    head = Head(width, outputs, hidden, dropout)
    return NamedNetwork(backbone, head, freeze, size, least_size("torchvision", network))


def _keywords(family: str, keyword: str | None, size: int | None) -> dict[str, Any]:
    if keyword:
        return {keyword: (size, size) if keyword == "input_size" else size}
    return {"aux_logits": False, "init_weights": True} if family in AUXILIARY else {}


def _plain(network: str, keywords: dict[str, Any]) -> nn.Module:
    # A RegNet reckons its widths with tensors, whose numbers the device "meta" does not keep.
    device = torch.get_default_device()
    with torch.device("cpu" if network.startswith("regnet") else device):
        return cast(nn.Module, models.get_model(network, weights=None, **keywords)).to(device)


def _set_channels(backbone: nn.Module, channels: int) -> None:
    """Let the first convolution read another number of channels than three."""
    convolutions = (each for each in backbone.named_modules() if isinstance(each[1], nn.Conv2d))
    name, first = next(convolutions)
    shape = (first.kernel_size, first.stride, first.padding)
    with_bias = first.bias is not None
    new = nn.Conv2d(channels, first.out_channels, *shape, bias=with_bias)
    backbone.set_submodule(name, new)
