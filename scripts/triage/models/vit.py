"""Vision transformers: ViT-B/16, or a smaller one of the same build."""

from __future__ import annotations

from torch import nn

from triage.constraints import Count, Dropout, Natural, Pixels
from triage.errors import UserError
from triage.models.dropout import FastDropout
from triage.models.sized import SizedNetwork
from triage.models.vision import models


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    size: Pixels = 224,
    patch: Count = 16,
    layers: Count = 12,
    heads: Count = 12,
    hidden: Count = 768,
    mlp: Count = 3072,
    head_dropout: Dropout = 0.0,
    block_dropout: Dropout = 0.0,
    blocks: tuple[Natural, Natural] | None = None,
    position_dropout: Dropout = 0.0,
) -> SizedNetwork:
    """``vit``, by default ViT-B/16.

    Dropout acts before the head, in the blocks [first, end) (all where ``blocks`` is null), and
    after the position embedding.
    """
    _check(size, patch, layers, heads, hidden, blocks)
    backbone = models.VisionTransformer(size, patch, layers, heads, hidden, mlp)
    if channels != 3:
        backbone.conv_proj = nn.Conv2d(channels, hidden, patch, stride=patch)
    backbone.encoder.dropout.p = position_dropout
    first, end = blocks or (0, layers)
    for block in list(backbone.encoder.layers)[first:end]:
        for module in block.modules():
            if isinstance(module, nn.Dropout):
                module.p = block_dropout
    backbone.heads = nn.Identity()
    head = nn.Sequential(FastDropout(head_dropout), nn.Linear(hidden, outputs))
    return SizedNetwork(backbone, head, size)


def _check(
    size: int, patch: int, layers: int, heads: int, hidden: int, blocks: tuple[int, int] | None
) -> None:
    """Raise UserError for options that do not fit each other."""
    mistakes = {
        "patch": (size % patch, f"{size} pixels (size) are no whole number of patches of {patch}"),
        "heads": (hidden % heads, f"a width of {hidden} (hidden) can't be shared by {heads} heads"),
        "blocks": (
            blocks is not None and not 0 <= blocks[0] < blocks[1] <= layers,
            f"{blocks} are no blocks of {layers} (layers): [first, end)",
        ),
    }
    for name, (is_wrong, what) in mistakes.items():
        if is_wrong:
            raise UserError(what, where=f"model.options.{name}", remedy="change one of the two")
