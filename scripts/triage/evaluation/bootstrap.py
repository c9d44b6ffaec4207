"""Resamples of whole groups, as counts of how often each is drawn.

Cases of one patient (or lesion) are alike, so they are drawn together: a resample draws as many
groups as there are, with replacement (Field and Welsh, JRSS B 69, 2007, p. 369: cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# So many counts are held at once: enough for whole-array work, few enough for the cache.
HELD = 100_000


def codes(groups: npt.NDArray[np.str_]) -> Codes:
    """The groups [cases] numbered 0, 1, ... in sorted order."""
    return np.unique(groups, return_inverse=True)[1].reshape(-1)


def group_counts(groups: int, rounds: int, seed: int, width: int = 0) -> Iterator[Floats]:
    """How often each group is drawn, in blocks [rounds of the block, groups].

    The draws depend on ``groups``, ``rounds`` and ``seed`` only; ``width`` (the columns of what the
    caller makes of a block, if more than the groups) merely bounds the rounds in a block.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    most = max(1, HELD // max(groups, width, 1))
    for start in range(0, rounds, most):
        block = min(most, rounds - start)
        drawn = generator.integers(0, groups, size=(block, groups))
        drawn += np.arange(block)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=block * groups)
        yield counts.reshape(block, groups).astype(float)
