"""Networks of MONAI over whole volumes, by their names there."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from triage.constraints import Count, Dropout, Text
from triage.errors import UserError
from triage.models import vision
from triage.models.headed import HeadedNetwork
from triage.models.heads import Head
from triage.models.libraries import refuse_unknown
from triage.models.named import built, take_last_layer

# What a family calls its channels and outputs, where not in_channels and num_classes.
CHANNELS = {"resnet": "n_input_channels"}
OUTPUTS = {"DenseNet": "out_channels"}


class VolumeNetwork(HeadedNetwork):
    """Logits [batch, outputs] of volumes [batch, slices, channels, height, width]."""

    def _pooled(self, x: Tensor) -> Tensor:
        return super()._pooled(x.transpose(1, 2))


class First(nn.Module):
    """The first of a network's outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Any:
        return self.network(x)[0]


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    network: Text = "resnet18",
    keywords: dict[str, Any] | None = None,
    hidden: tuple[Count, ...] = (),
    dropout: Dropout = 0.0,
    freeze: bool = False,
) -> VolumeNetwork:
    """``monai`` (needs the extra of that name): a network over whole volumes, not slices.

    ``network`` is DenseNet121, resnet18, SEResNet50 or another classifier of monai.networks.nets,
    and ``keywords`` are its own, as {init_features: 16} or {model_name: efficientnet-b0}.
    ``hidden`` are the widths of dense layers before the last one, ``dropout`` acts before the last
    layers, ``freeze`` fixes all but the head.
    """
    refuse_unknown(network, "monai")
    assert vision  # MONAI imports torchvision, which has to be importable by then
    from monai.networks import nets

    family = network.rstrip("0123456789")
    given: dict[str, Any] = {
        "spatial_dims": 3,
        CHANNELS.get(family, "in_channels"): channels,
        OUTPUTS.get(family, "num_classes"): outputs,
    }
    given |= {"classification": True} if family == "ViT" else {"pretrained": False}
    if wrong := sorted(given.keys() & (keywords or {}).keys()):
        raise UserError(
            "follows from the images and the classes",
            where=f"model.options.keywords.{wrong[0]}",
            remedy="take it out",
        )
    made = partial(getattr(nets, network), **given, **(keywords or {}))
    backbone = built(made, network, keywords or {}, "keywords")
    width = take_last_layer(backbone)
    backbone = First(backbone) if family == "ViT" else backbone
    return VolumeNetwork(backbone, Head(width, outputs, hidden, dropout), freeze)
