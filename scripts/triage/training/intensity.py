"""Curves and noise: changes of a picture's intensities pixel by pixel.

Both are measured by the range of the picture: from 0, or from its least value where that is less,
to the ``ceiling`` where there is one (255 of 8 bits), else to its greatest value; each channel has
a range of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

SQUARE_ROOT_OF_2 = 2.0**0.5


def curved(images: Tensor, gammas: Tensor, ceiling: float | None) -> Tensor:
    """``images`` [n, channels, height, width] by the power ``gammas`` [n] of their intensities as
    shares of the range, whose ends stay where they are."""
    low, length = _range(images, ceiling)
    gammas = gammas[:, None, None, None]
    shares = ((images - low) / length).clamp(0, 1)
    return torch.where(gammas == 1, images, low + length * shares**gammas)


def noisy(images: Tensor, deviations: Tensor, grains: Tensor, ceiling: float | None) -> Tensor:
    """``images`` [n, channels, height, width] with Gaussian noise of their own ``deviations`` [n],
    as shares of the range; ``grains`` [n] are numbers of 32 bits, each of which is a noise."""
    _, length = _range(images, ceiling)
    noise = _normal(grains, images[0].numel()).view_as(images)
    return images + length * deviations[:, None, None, None] * noise


def _range(images: Tensor, ceiling: float | None) -> tuple[Tensor | float, Tensor | float]:
    """Where the range of each channel begins, and how long it is."""
    if ceiling is not None:
        return 0.0, ceiling
    low = images.amin((2, 3), keepdim=True).clamp(max=0)
    return low, (images.amax((2, 3), keepdim=True) - low).clamp(min=1e-12)


def _normal(grains: Tensor, count: int) -> Tensor:
    """So many numbers of a normal distribution for each grain, [n, count]: a function of grain and
    place alone, so that neither the batch nor the device makes a difference but of rounding."""
    places = _scrambled(torch.arange(count, dtype=torch.int32, device=grains.device))
    bits = _scrambled(places ^ grains[:, None])
    # 23 bits with sign, and half a step: never an end of the interval from -1 to 1.
    return torch.erfinv(((bits >> 9) + 0.5) / 2**22) * SQUARE_ROOT_OF_2


def _scrambled(numbers: Tensor) -> Tensor:
    """A hash of 32-bit numbers, one to one, after T. Mueller; products wrap around."""
    for _ in range(2):
        numbers = _folded(numbers).mul_(0x45D9F3B)
    return _folded(numbers)


def _folded(numbers: Tensor) -> Tensor:
    return (numbers >> 16).bitwise_and_(0xFFFF).bitwise_xor_(numbers)
