"""What a network has to be ahead of: models without one, on thumbnails and histograms.

They are modules as networks are, so that all that reads checkpoints reads theirs; but scikit-learn
fits them to the features of all training images at once, and what they learn are buffers.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Floats = NDArray[np.floating]


class Features(nn.Module):
    """Of images [batch, channels, height, width]: thumbnails of ``side`` x ``side`` pixels, and of
    each channel the shares of pixels in ``bins`` ranges of intensity: [batch, width].
    """

    edges: Tensor

    def __init__(self, channels: int, side: int, bins: int) -> None:
        super().__init__()
        self.side = side
        self.width = channels * (side * side + bins)
        self.register_buffer("edges", torch.zeros(bins - 1, channels))

    def look(self, images: Tensor) -> None:
        """Lay the ranges so that each holds as many pixels of these images.

        Their edges are halfway between intensities, where rounding decides nothing.
        """
        shares = np.linspace(0, 1, len(self.edges) + 2)[1:-1]
        for channel, pixels in enumerate(images.transpose(0, 1).flatten(1).cpu().numpy()):
            known = np.append(np.unique(pixels), np.inf)
            above = known.searchsorted(np.quantile(pixels, shares), "right")
            halfway = (known[above - 1] + known[above]) / 2
            self.edges[:, channel] = torch.from_numpy(halfway)

    def forward(self, images: Tensor) -> Tensor:
        size = (self.side, self.side)
        small = functional.interpolate(images, size, mode="bilinear", antialias=True)
        above = [(images > edge[:, None, None]).float().mean((2, 3)) for edge in self.edges]
        above = [torch.ones_like(above[0]), *above, torch.zeros_like(above[0])]
        shares = [more - less for more, less in pairwise(above)]
        return torch.cat([small.flatten(1), *shares], dim=1)


class Floor(nn.Module):
    """Logits [batch, outputs] of images, by what a subclass makes of their ``features``."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features

    @abstractmethod
    def judge(self, features: Tensor) -> Tensor:
        """The logits [batch, outputs] of features [batch, width]."""

    @abstractmethod
    def fit(
        self, features: Floats, targets: Floats, exclusive: bool, seed: int, threads: int
    ) -> None:
        """Learn from features [images, width] and targets [images, outputs]: 0, 1, NaN for unknown.

        ``exclusive``: each image has exactly one of the classes.
        """

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(self.features(images))
