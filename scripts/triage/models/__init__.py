"""The networks: one file an architecture, imported when an arm asks for it.

This module itself imports no torch, so that the workflow can look up which file an arm uses.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triage.errors import UserError
from triage.settings import convert

if TYPE_CHECKING:
    from torch import Tensor, nn

# To add an architecture: write a module with `build(name, channels, outputs, *, ...)`, whose
# keyword arguments are the options that params.yaml may set, and name it here.
ARCHITECTURES = {
    "resnet18": "triage.models.resnet",
    "resnet34": "triage.models.resnet",
    "resnet50": "triage.models.resnet",
    "cnn4": "triage.models.pixel_sequence",
    "resnet18_pixels": "triage.models.pixel_sequence",
    "cnn5": "triage.models.cnn5",
    "vgg16": "triage.models.vgg16",
    "vit": "triage.models.vit",
    "fcnn": "triage.models.fcnn",
    "lesion_cnn": "triage.models.lesion_cnn",
}

# Architectures whose convolutions are another's: its pretrained weights fit them.
LAYERS_OF = {"resnet18_pixels": "resnet18"}


@dataclass(frozen=True)
class ModelSettings:
    """Which network, and where its first weights come from."""

    architecture: str
    pretrained: str = "none"  # or the name of weights
    options: dict[str, Any] = field(default_factory=dict)


def build(model: ModelSettings, channels: int, outputs: int) -> nn.Module:
    """The network ``model`` names, for images [batch, channels, height, width].

    Its output is one logit an output, [batch, outputs]. The weights are drawn from torch's
    global generator. Raises UserError for an unknown architecture or option.
    """
    if model.architecture not in ARCHITECTURES:
        raise UserError(
            f"{model.architecture!r} is no known architecture",
            where="model.architecture",
            remedy=f"must be one of {', '.join(sorted(ARCHITECTURES))}",
        )
    builder = importlib.import_module(ARCHITECTURES[model.architecture]).build
    options = _checked_options(builder, model)
    return typing.cast("nn.Module", builder(model.architecture, channels, outputs, **options))


def build_pretrained(
    model: ModelSettings, channels: int, outputs: int, weights: dict[str, Tensor] | None
) -> nn.Module:
    """As ``build``, with the backbone's weights from ``weights`` where the arm asks for it."""
    network = build(model, channels, outputs)
    if model.pretrained == "none":
        return network
    if weights is None:
        raise UserError(
            f"is {model.pretrained}, but no weights were given",
            where="model.pretrained",
            remedy="give a file with --weights, or set it to none",
        )
    from triage.models.transfer import transfer

    transfer(weights, network)
    return network


def _checked_options(builder: Any, model: ModelSettings) -> dict[str, Any]:
    where = f"model.options of {model.architecture}"
    hints = typing.get_type_hints(builder)
    allowed = [
        name
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    if unknown := sorted(model.options.keys() - set(allowed)):
        raise UserError(
            f"unknown option(s) {', '.join(unknown)}",
            where=where,
            remedy=f"allowed are {', '.join(allowed) or 'none'}",
        )
    return {
        name: convert(hints[name], value, f"{where}.{name}")
        for name, value in model.options.items()
    }
