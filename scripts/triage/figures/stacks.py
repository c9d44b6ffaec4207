"""Whole cases from the image shards."""

from __future__ import annotations

import numpy as np

from triage.data.store import Images


def stack(images: Images, case: str) -> np.ndarray:
    """All slices of a case [slices, channels, height, width] at their own size."""
    return images.stack(case)


def most_slices(images: Images) -> int:
    """The slices of the case that has most of them; 1 where cases are single images."""
    return int(images.table["index"].max()) + 1
