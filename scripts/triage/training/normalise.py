"""Intensities on a common scale: (value - mean) / std for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triage.errors import UserError
from triage.training.pixels import Pixels
from triage.training.settings import Input

PER_STEP = 64  # images whose sums are taken at once


@dataclass(frozen=True)
class Normalisation:
    """How a network wants its input: statistics for each channel, or None where each volume has
    its own."""

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None

    @classmethod
    def of(cls, settings: Input, statistics: dict[str, Any], channels: int) -> Normalisation:
        """From the settings, or from the statistics of the training part.

        Raises UserError when there is not one number a channel, or a deviation is not positive.
        """
        if settings.normalise == "volume":
            return cls(None, None)
        if settings.normalise == "fixed":
            mean, std, where = settings.mean, settings.std, "recipe.input"
        else:
            mean, std = tuple(statistics["mean"]), tuple(statistics["std"])
            where = "the statistics"
        for name, values in (("mean", mean), ("std", std)):
            if len(values) != channels:
                raise UserError(
                    f"{name} has {len(values)} numbers, the images have {channels} channels",
                    where=where,
                    remedy="give one number a channel",
                )
        if min(std) <= 0:
            raise UserError("a std is not above 0", where=where)
        return cls(mean, std)


class Normaliser:
    """Applies a normalisation to batches of some pixels."""

    def __init__(
        self, normalisation: Normalisation, pixels: Pixels, volumes: NDArray[np.int64]
    ) -> None:
        """``volumes`` names for each of the pixels' images the volume that it is part of."""
        if normalisation.mean is not None and normalisation.std is not None:
            mean = torch.tensor([normalisation.mean], device=pixels.device)
            std = torch.tensor([normalisation.std], device=pixels.device)
            self.own = False
        else:
            mean, std = _of_volumes(pixels, volumes)
            self.own = True
        self.scale = (1 / std)[:, :, None, None]
        self.shift = (-mean / std)[:, :, None, None]

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """Change ``images`` [n, channels, height, width], those at ``index`` of the pixels."""
        scale, shift = self.scale, self.shift
        if self.own:
            scale, shift = scale[index], shift[index]
        return torch.addcmul(shift, images, scale, out=images)


def _of_volumes(pixels: Pixels, volumes: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each image's volume [images, channels]."""
    names, which = np.unique(volumes, return_inverse=True)
    volume_of = torch.from_numpy(which).to(pixels.device)
    sums = torch.zeros(3, len(names), pixels.channels, dtype=torch.float64, device=pixels.device)
    everything = np.arange(len(pixels))
    steps = [everything[i : i + PER_STEP] for i in range(0, len(everything), PER_STEP)]
    for index, images in zip(steps, pixels.batches(steps), strict=True):
        variance, mean = (each.double() for each in torch.var_mean(images, (2, 3), correction=0))
        moments = (torch.ones_like(mean), mean, variance + mean.square())
        for total, moment in zip(sums, moments, strict=True):
            total.index_add_(0, volume_of[index[0] : index[-1] + 1], moment)
    count, total, squares = sums
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    # A volume of one value throughout becomes 0 throughout.
    std = torch.where(std > 1e-6 * mean.abs(), std, 1)
    return mean[volume_of].float(), std[volume_of].float()
