"""Where pretrained weights come from: settings of the steps that make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge

from triage.constraints import Count, Matching, OneOf, Pixels, Positive, Seed, Text
from triage.models import ARCHITECTURES


@dataclass(frozen=True)
class Published:
    """A file that torchvision publishes."""

    source: Literal["imagenet"]
    architecture: Annotated[str, OneOf(ARCHITECTURES)]
    """The network whose layers they are of."""
    file: Text
    """Where the file lies."""
    sha256: Annotated[str, Matching("^[0-9a-f]{8,64}$")]
    """The file's checksum, or the beginning of it, as in its published name."""


@dataclass(frozen=True)
class Download:
    """The file that torchvision publishes, fetched and compared with its checksum; timm's weights
    by its hub."""

    source: Literal["download"]
    architecture: Annotated[str, OneOf(ARCHITECTURES)]
    """The network whose weights they are."""
    weights: Text = "DEFAULT"
    """Their name there, such as IMAGENET1K_V1; DEFAULT: the best."""
    mirror: Text | None = None
    """The address of another folder that has torchvision's file; null: its own."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture: {network: densenet121} of torchvision and timm."""


@dataclass(frozen=True)
class Pretext:
    """Learned offline, by telling generated textures and shapes apart."""

    source: Literal["pretext"]
    architecture: Annotated[str, OneOf(ARCHITECTURES)]
    """The network that learns."""
    seed: Seed
    """Of pictures and training."""
    images: Annotated[int, Ge(16)]
    """Pictures that are generated; the network sees each once an epoch."""
    size: Pixels
    """Pixels a side."""
    epochs: Count
    """Passes over the pictures."""
    batch_size: Count
    """Pictures a batch."""
    lr: Positive
    """Learning rate of Adam, which falls along a cosine."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the architecture."""


Source = Published | Download | Pretext
KINDS: dict[str, type[Published] | type[Download] | type[Pretext]] = {
    "imagenet": Published,
    "download": Download,
    "pretext": Pretext,
}
