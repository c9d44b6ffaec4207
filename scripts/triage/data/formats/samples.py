"""Samples of any depth, and how they become 8 bits deep.

More bits (or whole numbers of any size, or fractions) are scaled so that the picture's own darkest
and brightest values become 0 and 255, for all its colours alike: how bright such an export is as a
whole depends on its program, and says nothing. Transparent parts become black.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.data.formats import Refusal

MAX_PIXELS = 2**25  # 5792 x 5792, 0.7 GB while it is decoded; a small file can say far more
MIN_SIDE = 16
MAX_ASPECT = 16
CONSTANT = "is constant: all its pixels are the same"
SEVERAL = "holds several pictures, must hold one"
TRANSPARENT = "is transparent all over"
# How ImageJ and tifffile write down that more pictures follow the one that a TIFF has tags for.
_IMAGES = re.compile(r"\AImageJ=.*?^images=(\d+)", re.DOTALL | re.MULTILINE)
_SHAPE = re.compile(r'\A\{"shape": \[([\d, ]+)\]')
# By the EXIF and TIFF tag of orientation: whether rows and columns change places, then which of
# the axes (rows, columns) run the other way.
_UPRIGHT = {
    2: (False, (1,)), 3: (False, (0, 1)), 4: (False, (0,)), 5: (True, ()),
    6: (True, (1,)), 7: (True, (0, 1)), 8: (True, (0,)),
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """Values [height, width, channels] of one channel or three, and how they are meant.

    inverted: the greatest is black. opacity: [height, width], 0 to 1. ignored: pixels [height,
    width] that are none, and become black. bounds: what becomes 0 and 255, if not the values' own.
    orientation: as EXIF has it.
    """

    values: np.ndarray
    inverted: bool = False
    opacity: np.ndarray | None = None
    ignored: np.ndarray | None = None
    bounds: tuple[float, float] | None = None
    orientation: int = 1

    @classmethod
    def with_alpha(cls, values: np.ndarray, orientation: int = 1) -> Samples:
        """Of unsigned values [height, width(, channels)] whose 2nd or 4th channel is alpha."""
        values = values.reshape(*values.shape[:2], -1)
        colours = {1: 1, 2: 1, 3: 3, 4: 3}[values.shape[2]]
        opacity = None
        if colours < values.shape[2]:
            opacity = values[..., -1] / np.iinfo(values.dtype).max
        return cls(values[..., :colours], opacity=opacity, orientation=orientation)

    def pixels(self) -> NDArray[np.uint8]:
        """Upright, [channels, height, width]. Raises Refusal."""
        low, high = self.bounds or self._range()
        if low >= high:
            raise Refusal(CONSTANT)
        scaled = np.zeros(self.values.shape, np.uint8)
        for row, values in enumerate(self.values):  # row by row, to spare memory
            exact = values.astype(np.float64)
            exact = high - exact if self.inverted else exact - low
            exact = np.clip(exact * (255 / (high - low)), 0, 255)
            if self.opacity is not None:
                exact *= self.opacity[row][:, None]
            scaled[row] = np.rint(exact)
        if self.ignored is not None:
            scaled[self.ignored] = 0
        swaps, flips = _UPRIGHT.get(self.orientation, (False, ()))
        upright = np.flip(scaled.swapaxes(0, 1) if swaps else scaled, flips)
        return np.ascontiguousarray(upright.transpose(2, 0, 1))

    def _range(self) -> tuple[float, float]:
        """Of what is seen."""
        seen = None if self.ignored is None else ~self.ignored
        if self.opacity is not None and not self.opacity.all():
            seen = (self.opacity > 0) if seen is None else seen & (self.opacity > 0)
            if not self.opacity.any():
                raise Refusal(TRANSPARENT)
        values = self.values if seen is None else self.values[seen]
        if not values.size:
            raise Refusal("has no pixel that is none of its padding")
        low, high = float(values.min()), float(values.max())  # NaN if any pixel is
        if not (math.isfinite(low) and math.isfinite(high)):
            raise Refusal("has pixels that are NaN or infinite")
        return low, high


def check_single(description: str, values: int) -> None:
    """Refuse a TIFF that has more pictures than tags, by its text; ``values`` are in the first."""
    images, shape = _IMAGES.search(description), _SHAPE.search(description)
    if (images and int(images[1]) > 1) or (
        shape and math.prod(int(size) for size in shape[1].split(",")) > values
    ):
        raise Refusal(SEVERAL)


def check_size(width: int, height: int) -> None:
    """Refuse what is no picture to learn from, before its pixels are unpacked."""
    if width * height > MAX_PIXELS:
        raise Refusal(f"says it has {width} x {height} pixels, more than {MAX_PIXELS}")
    if min(width, height) < MIN_SIDE:
        raise Refusal(f"has {width} x {height} pixels, must have at least {MIN_SIDE} a side")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise Refusal(f"has {width} x {height} pixels, too long for its width")
