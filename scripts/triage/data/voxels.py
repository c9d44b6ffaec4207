"""The narrowest number type that holds the values of an image without loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# int16 stands before uint16: tensors of it can be computed with everywhere.
_INTEGERS = (np.uint8, np.int16, np.uint16, np.int32)


class Range(NamedTuple):
    """The least and the greatest of some values, and whether all of them are whole numbers."""

    low: float
    high: float
    whole: bool


def range_of(array: np.ndarray) -> Range:
    """The range of an array; low and high are NaN where any value is."""
    if not array.size:
        return Range(0, 0, True)
    return Range(array.min().item(), array.max().item(), _is_whole(array))


def _is_whole(array: np.ndarray) -> bool:
    """Whether all values are whole numbers; plane by plane, to spare memory."""
    return array.dtype.kind in "iub" or all(
        bool((plane == np.rint(plane)).all()) for plane in np.atleast_1d(array)
    )


def narrowest(*ranges: Range) -> np.dtype:
    """The narrowest dtype for values of all ``ranges`` (finite): integers if whole, or float32."""
    if all(each.whole for each in ranges):
        low = min((each.low for each in ranges), default=0)
        high = max((each.high for each in ranges), default=0)
        for kind in _INTEGERS:
            bounds = np.iinfo(kind)
            if bounds.min <= low and high <= bounds.max:
                return np.dtype(kind)
    return np.dtype(np.float32)
