"""Images for the eye: windowed, shrunk and laid out in rows as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from triage.figures import style

Image = npt.NDArray[np.float32]

GAP = 2  # pixels between images
CAPTION = 6.5  # size of letters
LINE = 0.11  # inches: the height of a line of a caption
MOST_ROOM = style.WIDTH - 1.1  # inches: what names left of rows leave, about
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
    """Rows of images as one picture [height, width, 3].

    ``tops`` are those of the rows, in pixels; ``captions`` [image] by row stand above the images.
    """

    picture: Image
    tops: npt.NDArray[np.float64]
    cell: tuple[int, int]  # height and width of an image with its gap
    captions: dict[int, list[str]]

    @property
    def middles(self) -> npt.NDArray[np.float64]:
        """Those of the rows."""
        return self.tops + (self.cell[0] - GAP) / 2


def sheet(
    rows: Sequence[Sequence[Image | None]], captions: Mapping[int, Sequence[str]] | None = None
) -> Sheet:
    """Lay out ``rows`` of grey [h, w] or colour [h, w, 3] images, padded to one size with white.

    ``captions`` has words for the images of some rows, which get room above them.
    """
    images = [image for row in rows for image in row if image is not None]
    height = max(image.shape[0] for image in images) + GAP
    width = max(image.shape[1] for image in images) + GAP
    columns = max(LEAST_COLUMNS, *(len(row) for row in rows))
    scale = width * columns / MOST_ROOM  # pixels an inch
    written = {
        place: [style.wrapped(word, width / scale, CAPTION) for word in words]
        for place, words in (captions or {}).items()
    }
    lines = [
        max((word.count("\n") + 1 for word in written.get(place, ()) if word), default=0)
        for place in range(len(rows))
    ]
    room = [round(scale * (LINE * count + LINE / 3)) if count else 0 for count in lines]
    tops = np.cumsum(room) + height * np.arange(len(rows))
    picture = np.ones((height * len(rows) + sum(room), width * columns, 3), np.float32)
    for top, row in zip(tops, rows, strict=True):
        for k, image in enumerate(row):
            if image is not None:
                coloured = image if image.ndim == 3 else image[..., None]
                left = k * width
                picture[top : top + image.shape[0], left : left + image.shape[1]] = coloured
    return Sheet(picture, tops.astype(float), (height, width), written)


def figure(shown: Sheet, names: Sequence[str] = (), size: float = 8) -> Figure:
    """A sheet as a figure of its own, with the names left of the rows."""
    height, width = shown.picture.shape[:2]
    left = 0.1 + max((style.width(name, size) for name in names), default=0)
    inches = (style.WIDTH - left) * height / width
    drawn = Figure(figsize=(style.WIDTH, inches))
    ax = drawn.add_axes((left / style.WIDTH, 0, 1 - left / style.WIDTH, 1))
    ax.imshow(shown.picture, extent=(0, width, height, 0), interpolation="antialiased")
    style.bare(ax)
    ax.set_yticks(shown.middles, names, fontsize=size)
    ax.tick_params(length=0)
    for row, words in shown.captions.items():
        for column, word in enumerate(words):
            ax.annotate(
                word,
                (column * shown.cell[1], shown.tops[row]),
                (0, 1),
                textcoords="offset points",
                fontsize=CAPTION,
                va="bottom",
                linespacing=1.1,
            )
    return drawn
