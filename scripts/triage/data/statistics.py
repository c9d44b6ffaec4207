"""Mean and standard deviation of the training images, pooled over all their pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from triage.data.image_store import Images, Integers
from triage.errors import UserError

_VALUES = 1 << 21  # read at once by each thread


@dataclass(frozen=True)
class Statistics:
    """Per channel: mean and standard deviation. pixels: of one channel. cases: that they are of."""

    mean: list[float]
    std: list[float]
    pixels: int
    cases: int


def compute(images: Images, cases: Sequence[str], threads: int) -> Statistics:
    """The statistics of all pixels of all slices of ``cases``.

    Zeros that only fill up the store's array are no pixels. Of integer images of 8 and 16 bits the
    sums are exact. Raises UserError where there is no case, or a channel is constant.
    """
    if not len(cases):
        raise UserError("no training case", where="split", remedy="add labelled cases")
    positions = np.sort(images.positions(cases))
    images.verify(positions, threads)
    with ThreadPoolExecutor(threads) as pool:
        sums = list(pool.map(lambda chunk: _sums(images, *chunk), _chunks(images, positions)))
    pixels = sum(count for count, _, _ in sums)
    mean, deviation = [], []
    for channel in range(images.channels):
        total = sum(values[channel] for _, values, _ in sums)
        squares = sum(values[channel] for _, _, values in sums)
        average = total / pixels
        mean.append(float(average))
        deviation.append(math.sqrt(max(squares / pixels - average**2, Fraction(0))))
    if 0 in deviation:
        raise UserError(f"channel {deviation.index(0)} is constant in all training images")
    return Statistics(mean, deviation, pixels, len(cases))


def _chunks(images: Images, positions: Integers) -> Iterator[tuple[Integers, tuple[int, int]]]:
    """Positions of images of one size, as many as are read at once, and that size."""
    sizes = images.sizes(positions)
    for height, width in np.unique(sizes, axis=0).tolist():
        same = positions[(sizes == (height, width)).all(axis=1)]
        step = max(1, _VALUES // (images.channels * height * width))
        for start in range(0, len(same), step):
            yield same[start : start + step], (height, width)


def _sums(
    images: Images, positions: Integers, size: tuple[int, int]
) -> tuple[int, list[Fraction], list[Fraction]]:
    """Number of pixels; per channel, their sum and the sum of their squares."""
    values = np.moveaxis(images.read(positions, size), 1, 0).reshape(images.channels, -1)
    exact = values.dtype.kind in "iu" and values.dtype.itemsize <= 2
    wide = values.astype(np.int64 if exact else np.float64)
    totals = wide.sum(axis=1).tolist()
    squares = np.square(wide, out=wide).sum(axis=1).tolist()
    return wide.shape[1], list(map(Fraction, totals)), list(map(Fraction, squares))
