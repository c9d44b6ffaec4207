"""How the images of an external set differ from those that a study was trained on, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triage.data.image_store import Images
from triage.data.reference import SIDE, SLICES, Reference, evenly

Floats = npt.NDArray[np.float64]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 64


@dataclass(frozen=True)
class Intensities:
    """Of one channel: mean, standard deviation, QUANTILES, and the share of pixels in each bin."""

    mean: float
    std: float
    quantiles: dict[str, float]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """What the images of some cases are like, by channel.

    ``sizes``: smallest, median and largest number of slices and of pixels along each side.
    """

    cases: int
    channels: tuple[Intensities, ...]
    sizes: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Shift:
    """The images of the training part and of an external set.

    ``edges`` of the bins [channels][BINS + 1]. ``unlike``: how many of the set's cases are out of
    the range of the training images, and ``reasons`` by what.
    """

    training: Look
    external: Look
    edges: tuple[tuple[float, ...], ...]
    unlike: int
    reasons: dict[str, int]


def compute(
    training: Images, trained: Sequence[str], external: Images, tested: Sequence[str]
) -> Shift:
    """The shift from the ``trained`` cases to the ``tested`` ones; of many cases some are read."""
    reference = Reference.of(training, trained)
    ours, theirs = _thinned(training, trained), _thinned(external, tested)
    whole = np.issubdtype(np.result_type(training.dtype, external.dtype), np.integer)
    edges = [_edges(pair, whole) for pair in zip(ours.pixels, theirs.pixels, strict=True)]
    unlike = [reference.unlike(external.stack(case)) for case in theirs.cases]
    reasons = Counter(_what(reason) for each in unlike for reason in each)
    return Shift(
        ours.look(edges),
        theirs.look(edges),
        tuple(tuple(map(float, each)) for each in edges),
        sum(map(bool, unlike)),
        dict(reasons.most_common()),
    )


def _edges(pixels: Sequence[Floats], whole: bool) -> Floats:
    """Of bins that hold all pixels, as many whole numbers each where all are whole."""
    low, high = min(each.min() for each in pixels), max(each.max() for each in pixels)
    width = (high - low) / BINS or 1.0
    return np.asarray(low + np.arange(BINS + 1) * (np.floor(width) + 1 if whole else width))


def _what(reason: str) -> str:
    """What is out of range, without the numbers."""
    return reason.partition(";")[0].rpartition(" ")[0]


@dataclass(frozen=True)
class _Thinned:
    """Some cases, with the ``pixels`` of each channel [channels][pixels], thinned out."""

    cases: list[str]
    pixels: list[Floats]
    shapes: npt.NDArray[np.int64]

    def look(self, edges: Sequence[Floats]) -> Look:
        names = {"slices": 0, "height": 2, "width": 3}
        return Look(
            len(self.cases),
            tuple(map(_intensities, self.pixels, edges)),
            {name: _spread(self.shapes[:, axis]) for name, axis in names.items()},
        )


def _thinned(images: Images, cases: Sequence[str]) -> _Thinned:
    chosen = evenly(cases)
    found: list[list[Floats]] = [[] for _ in range(images.channels)]
    shapes = []
    for case in chosen:
        stack = images.stack(case)
        shapes.append(stack.shape)
        steps = (-(-size // most) for size, most in zip(stack.shape, _MOST, strict=True))
        thin = stack[tuple(slice(None, None, step) for step in steps)]
        for channel, pixels in enumerate(found):
            pixels.append(thin[:, channel].astype(np.float64).ravel())
    return _Thinned(chosen, list(map(np.concatenate, found)), np.array(shapes))


_MOST = (SLICES, 1 << 30, SIDE, SIDE)  # of slices, channels, rows and columns


def _intensities(pixels: Floats, edges: Floats) -> Intensities:
    counts, _ = np.histogram(pixels, edges)
    return Intensities(
        float(pixels.mean()),
        float(pixels.std()),
        {f"{each:g}": float(np.quantile(pixels, each)) for each in QUANTILES},
        tuple(map(float, counts / len(pixels))),
    )


def _spread(sizes: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    return float(sizes.min()), float(np.median(sizes)), float(sizes.max())
