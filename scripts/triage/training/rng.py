"""A counter-based RNG: numbers depend on what is drawn for, and on nothing else.

A draw is a pure function of (seed, epoch, purpose, key), where the key is a stable hash of the
case's name. So order and augmentation are the same whatever the batch size, the number of workers
or the order of the rows, and nothing need be saved to go on after a stop. The mixing function is
that of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys(names: Iterable[str]) -> Keys:
    """A stable 64-bit key for each name."""
    return np.fromiter((_hash(name) for name in names), np.uint64)


def combine(first: Keys, *others: NDArray[np.integer] | int) -> Keys:
    """Keys for pairs, triples and so on, such as case and slice."""
    mixed = first
    for other in others:
        mixed = _mix(mixed + _GOLDEN) ^ np.asarray(other).astype(np.uint64)
    return _mix(mixed + _GOLDEN)


def uniform(seed: int, epoch: int, purpose: str, keys: Keys) -> NDArray[np.floating]:
    """One number in [0, 1) for each key."""
    stream = combine(np.array([_hash(purpose)], np.uint64), seed, epoch)
    return (combine(keys ^ stream) >> np.uint64(11)) * 2.0**-53


def order(seed: int, epoch: int, keys: Keys) -> NDArray[np.int64]:
    """The positions of ``keys`` in random order.

    The order of the keys themselves does not matter: the same set comes out in the same order.
    """
    return np.lexsort((keys, uniform(seed, epoch, "order", keys)))


def generator_seed(seed: int, *place: int) -> int:
    """A seed for torch's own generator, as for dropout at a place such as (epoch, step)."""
    stream = combine(np.array([_hash("generator")], np.uint64), seed, *place)
    return int(stream[0] >> np.uint64(1))


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _mix(x: Keys) -> Keys:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
