"""The networks: one file an architecture, imported when an arm asks for it.

This module itself imports no torch, so that the workflow can look up which file an arm uses.
"""

from __future__ import annotations

import ast
import importlib
import typing
from dataclasses import dataclass, field, fields, make_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from triage import constraints
from triage.constraints import Name, OneOf
from triage.errors import UserError
from triage.settings import convert

if TYPE_CHECKING:
    from torch import Tensor, nn

# To add an architecture: write a module with `build(name, channels, outputs, *, ...)`, whose
# keyword arguments are the options that params.yaml may set, and name it here. Types of options are
# those of typing and of triage.constraints, and their defaults plain values: see ``options_of``.
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
    "torchvision": "triage.models.torchvision_networks",
    "timm": "triage.models.timm_networks",
    "monai": "triage.models.monai_networks",
    "random_forest": "triage.models.random_forest",
    "logistic_regression": "triage.models.logistic_regression",
}

# Architectures over whole volumes [slices, channels, height, width], not over single images.
OVER_VOLUMES = ("monai",)

# No networks, but what these have to be ahead of: fitted without epochs.
FLOORS = ("random_forest", "logistic_regression")

# Architectures whose convolutions are another's: its pretrained weights fit them.
LAYERS_OF = {"resnet18_pixels": "resnet18"}

# Architectures with ``features`` and their ``width``, which a sequence model can read.
WITH_FEATURES = ("resnet18", "resnet34", "resnet50", "torchvision", "timm")


@dataclass(frozen=True)
class ModelSettings:
    """Which network, and where its first weights come from."""

    architecture: Annotated[str, OneOf(ARCHITECTURES)] = "resnet18"
    """The network."""
    pretrained: Name = "none"
    """none, or the name of a block of `pretrained` whose weights it starts from."""
    options: dict[str, Any] = field(default_factory=dict)
    """Those of the architecture, below; another architecture starts anew from its own defaults."""


@cache
def options_of(architecture: str) -> type:
    """What ``params.yaml`` may set of an architecture, as a dataclass with its builder's docstring.

    Read from the source of ``build``, since importing it would import torch.
    """
    file = Path(__file__).with_name(f"{ARCHITECTURES[architecture].rpartition('.')[2]}.py")
    statements = ast.parse(file.read_bytes()).body
    aliases = {
        ast.unparse(each.targets[0]): ast.unparse(each.value)
        for each in statements
        if isinstance(each, ast.Assign)
    }
    functions = [each for each in statements if isinstance(each, ast.FunctionDef)]
    build = next(each for each in functions if each.name == "build")
    options = build.args.kwonlyargs
    named = {each.arg: ast.unparse(each.annotation) for each in options if each.annotation}
    types = typing.get_type_hints(
        type("Options", (), {"__annotations__": named}),
        vars(constraints) | vars(typing) | aliases,
        include_extras=True,
    )
    defaults = [ast.literal_eval(each) for each in build.args.kw_defaults if each]
    declared = [
        (name, kind, field(default=default))
        for (name, kind), default in zip(types.items(), defaults, strict=True)
    ]
    documented = {"__doc__": ast.get_docstring(build)}
    return make_dataclass(architecture, declared, frozen=True, namespace=documented)


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
    options = _checked_options(model)
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


def _checked_options(model: ModelSettings) -> dict[str, Any]:
    where = f"model.options of {model.architecture}"
    kinds = {each.name: each.type for each in fields(options_of(model.architecture))}
    if unknown := sorted(model.options.keys() - kinds.keys()):
        raise UserError(
            f"unknown option(s) {', '.join(unknown)}",
            where=where,
            remedy=f"allowed are {', '.join(kinds) or 'none'}",
        )
    return {
        name: convert(kinds[name], value, f"{where}.{name}")
        for name, value in model.options.items()
    }
