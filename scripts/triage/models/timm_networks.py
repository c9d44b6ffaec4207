"""Any network that timm has, by its name there."""

from __future__ import annotations

from functools import partial
from typing import Any

from triage.constraints import Count, Dropout, Pixels, Text
from triage.models import vision
from triage.models.heads import Head
from triage.models.libraries import refuse_unknown
from triage.models.named import NamedNetwork, built


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    network: Text = "efficientnet_b0",
    size: Pixels | None = None,
    hidden: tuple[Count, ...] = (),
    dropout: Dropout = 0.0,
    freeze: bool = False,
) -> NamedNetwork:
    """``timm`` (needs the extra of that name): ``network`` is a name of ``timm.list_models()``.

    ``size`` is the pictures' size for networks that take one only, such as ViTs (null: their
    usual one); it is null for all others. ``hidden`` are the widths of dense layers before the last
    one, ``dropout`` acts before the last layers, ``freeze`` fixes all but the head.
    """
    refuse_unknown(network, "timm")
    assert vision  # timm imports torchvision, which has to be importable by then
    import timm

    keywords: dict[str, Any] = {"pretrained": False, "in_chans": channels, "num_classes": 0}
    keywords |= {} if size is None else {"img_size": size}
    backbone: Any = built(partial(timm.create_model, network, **keywords), network, size)
    if size is None and backbone.pretrained_cfg.get("fixed_input_size"):
        size = backbone.pretrained_cfg["input_size"][-1]
    width = getattr(backbone, "head_hidden_size", backbone.num_features)
    return NamedNetwork(backbone, Head(width, outputs, hidden, dropout), freeze, size)
