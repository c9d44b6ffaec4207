"""The narrowest number type that holds the values of an image without loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# int16 stands before uint16: tensors of it can be computed with everywhere.
_INTEGERS = (np.uint8, np.int16, np.uint16, np.int32)


def narrowest(low: int, high: int) -> np.dtype:
    """The narrowest dtype for whole numbers from ``low`` to ``high``; float32 where none fits."""
    for kind in _INTEGERS:
        bounds = np.iinfo(kind)
        if bounds.min <= low and high <= bounds.max:
            return np.dtype(kind)
    return np.dtype(np.float32)


def narrow(array: np.ndarray) -> np.ndarray:
    """``array`` (finite values) in the narrowest dtype: whole numbers as integers, else float32."""
    if array.dtype.kind not in "iub" and not is_whole(array):
        return array.astype(np.float32, copy=False)
    kind = narrowest(int(array.min()), int(array.max())) if array.size else np.dtype(np.uint8)
    return array.astype(kind, copy=False)


def is_whole(array: np.ndarray) -> bool:
    """Whether all values are whole numbers."""
    return array.dtype.kind in "iub" or bool((array == np.rint(array)).all())


def common_dtype(arrays: Sequence[np.ndarray]) -> np.dtype:
    """The narrowest dtype that holds the values of all ``arrays`` (as ``narrow`` leaves them)."""
    arrays = [array for array in arrays if array.size]
    if not arrays:
        return np.dtype(np.uint8)
    if any(array.dtype.kind == "f" for array in arrays):
        return np.dtype(np.float32)
    low = min(int(array.min()) for array in arrays)
    return narrowest(low, max(int(array.max()) for array in arrays))
