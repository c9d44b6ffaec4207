"""Where an image is brightest, away from the border of what it shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Shares of the image's width.
BLUR = 0.012
RIM = 0.09  # bright fat under the skin lies nearer to the background than this
APART = 0.1


def brightest(image: npt.NDArray[np.generic], count: int) -> list[tuple[int, int, float]]:
    """Up to ``count`` spots (row, column, brightness) of ``image`` [h, w], the brightest first.

    A spot is the top of the blurred image, well inside the foreground and apart from others.
    """
    width = image.shape[1]
    blurred = ndimage.gaussian_filter(image.astype(np.float32), max(0.7, BLUR * width))
    inside = ndimage.binary_erosion(
        ndimage.binary_fill_holes(blurred > 0.25 * np.percentile(blurred, 98)),
        iterations=max(1, round(RIM * width)),
    )
    reach = 2 * max(1, round(APART * width)) + 1
    tops = (blurred == ndimage.maximum_filter(blurred, reach)) & inside
    found = np.argwhere(tops)
    order = np.argsort(-blurred[tops], kind="stable")[:count]
    return [(int(row), int(column), float(blurred[row, column])) for row, column in found[order]]
