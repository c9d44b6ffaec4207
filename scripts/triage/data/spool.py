"""Arrays handed from one process to another through a file, which costs less than a pipe."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_ALIGNED = 64  # bytes


@dataclass(frozen=True)
class Place:
    """Where an array lies in a spool, and what it is."""

    offset: int
    shape: tuple[int, ...]
    kind: np.dtype


@dataclass(frozen=True)
class Spool:
    """A file without a name, open in this process and in those that it forks from now on."""

    handle: int

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator[Spool]:
        """A spool on the disk of ``folder``; it is gone when the process is, however it ends."""
        with tempfile.TemporaryFile(dir=folder) as file:
            yield cls(file.fileno())

    def put(self, array: np.ndarray) -> Place:
        """Write ``array``; any process may, at any time. Raises OSError: a full disk."""
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        offset = end = self._reserve(len(data))
        while data:
            written = os.pwrite(self.handle, data, end)
            data, end = data[written:], end + written
        return Place(offset, array.shape, array.dtype)

    def _reserve(self, count: int) -> int:
        fcntl.lockf(self.handle, fcntl.LOCK_EX)
        try:
            end = os.fstat(self.handle).st_size
            os.ftruncate(self.handle, end + count + -count % _ALIGNED)
        finally:
            fcntl.lockf(self.handle, fcntl.LOCK_UN)
        return end

    def get(self, places: Sequence[Place]) -> list[np.ndarray]:
        """The arrays at ``places``, mapped: they can be read, not changed."""
        if not any(map(_size, places)):
            return [np.empty(place.shape, place.kind) for place in places]
        mapped = mmap.mmap(self.handle, 0, prot=mmap.PROT_READ)
        return [
            np.frombuffer(mapped, place.kind, math.prod(place.shape), place.offset).reshape(
                place.shape
            )
            for place in places
        ]


def _size(place: Place) -> int:
    return math.prod(place.shape) * place.kind.itemsize
