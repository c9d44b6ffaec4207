"""Images for the eye: windowed, shrunk and laid out in rows as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from triage.figures import style

Image = npt.NDArray[np.float32]

GAP = 2  # pixels between images
LEAST_COLUMNS = 6  # so that few images are not blown up


def window(volume: npt.NDArray[np.generic]) -> Image:
    """``volume`` scaled to 0..1 between its percentiles 0.5 and 99.5; a constant one is 0."""
    values = volume.astype(np.float32)
    low, high = np.percentile(values, (0.5, 99.5))
    if high <= low:
        return np.zeros_like(values)
    return np.clip((values - low) / (high - low), 0, 1)


def shrink(image: Image, longest: int) -> Image:
    """``image`` [height, width, ...] with no side above ``longest`` pixels, by means of blocks."""
    step = -(-max(image.shape[:2]) // longest)
    if step <= 1:
        return image
    down, across = (min(step, side) for side in image.shape[:2])
    rows, columns = image.shape[0] // down, image.shape[1] // across
    cut = image[: rows * down, : columns * across]
    blocks = cut.reshape(rows, down, columns, across, *image.shape[2:])
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def faces(stack: npt.NDArray[np.generic], longest: int) -> list[Image]:
    """What a case [slices, channels, h, w] looks like.

    An image a channel of the middle slice of a volume; otherwise the single image, in colour where
    it has three channels.
    """
    if len(stack) == 1 and stack.shape[1] == 3:
        scale = 255 if stack.dtype == np.uint8 else max(float(stack.max()), 1.0)
        return [shrink(np.moveaxis(stack[0], 0, -1).astype(np.float32) / scale, longest)]
    middle = len(stack) // 2
    return [shrink(window(stack[:, c])[middle], longest) for c in range(stack.shape[1])]


@dataclass(frozen=True)
class Sheet:
    """Rows of images as one picture [height, width, 3] and the middles of its rows."""

    picture: Image
    rows: npt.NDArray[np.float64]
    cell: tuple[int, int]  # height and width of an image with its gap


def sheet(rows: Sequence[Sequence[Image | None]]) -> Sheet:
    """Lay out ``rows`` of grey [h, w] or colour [h, w, 3] images, padded to one size with white."""
    images = [image for row in rows for image in row if image is not None]
    height = max(image.shape[0] for image in images) + GAP
    width = max(image.shape[1] for image in images) + GAP
    columns = max(LEAST_COLUMNS, *(len(row) for row in rows))
    picture = np.ones((height * len(rows), width * columns, 3), np.float32)
    for i, row in enumerate(rows):
        for k, image in enumerate(row):
            if image is not None:
                coloured = image if image.ndim == 3 else image[..., None]
                top, left = i * height, k * width
                picture[top : top + image.shape[0], left : left + image.shape[1]] = coloured
    return Sheet(
        picture,
        (np.arange(len(rows)) + 0.5) * height - GAP / 2,
        (height, width),
    )


def figure(shown: Sheet, names: Sequence[str] = (), size: float = 8) -> Figure:
    """A sheet as a figure of its own, with the names left of the rows."""
    height, width = shown.picture.shape[:2]
    left = 0.1 + max((style.width(name, size) for name in names), default=0)
    inches = (style.WIDTH - left) * height / width
    drawn = Figure(figsize=(style.WIDTH, inches))
    ax = drawn.add_axes((left / style.WIDTH, 0, 1 - left / style.WIDTH, 1))
    ax.imshow(shown.picture, extent=(0, width, height, 0), interpolation="antialiased")
    style.bare(ax)
    ax.set_yticks(shown.rows, names, fontsize=size)
    ax.tick_params(length=0)
    return drawn


def write_names(
    figure: Figure, shown: Sheet, row: int, names: Sequence[str], size: float = 6.5
) -> None:
    """Write a name into the top corner of each image of a row."""
    height, width = shown.cell
    for i, name in enumerate(names):
        if not name:
            continue
        figure.axes[0].text(
            (i + 0.03) * width,
            (row + 0.03) * height,
            name,
            fontsize=size,
            color="white",
            va="top",
            bbox={"facecolor": "black", "alpha": 0.5, "pad": 1, "linewidth": 0},
        )
