"""A file that several processes fill with arrays, one after another in a given order."""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PAUSE = 0.0002  # seconds between two looks at whether those before are done
_OFFSET = struct.Struct("=q")  # of which 0 is none


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array lies in a file, and what it is."""

    offset: int
    shape: tuple[int, ...]
    kind: np.dtype

    @property
    def end(self) -> int:
        """The byte behind its last."""
        return self.offset + math.prod(self.shape) * self.kind.itemsize


@dataclass(frozen=True)
class Spool:
    """Two files open in this process and in those that it forks from now on, by their descriptors.

    ``ends`` says of each array at which byte of ``handle`` it ends.
    """

    handle: int
    ends: int

    @classmethod
    @contextmanager
    def create(cls, path: Path, start: int) -> Iterator[Spool]:
        """A new file, the first array of which begins at byte ``start``, above 0."""
        with open(path, "wb+", buffering=0) as file, open(os.memfd_create("ends"), "wb+") as ends:
            spool = cls(file.fileno(), ends.fileno())
            spool._set_end(0, start)
            yield spool

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """The block may ``put`` the array of this number; if it does not, the others go on."""
        try:
            yield
        finally:
            if self._end(number + 1) is None:
                self._reserve(number, 0)

    def put(self, number: int, array: np.ndarray) -> Place:
        """Write ``array`` behind the one before, once it is known where that ends.

        Any process may, in any order, as long as every number has its turn. Raises OSError: a full
        disk.
        """
        offset = self._reserve(number, array.nbytes)
        self.write(offset, _bytes(array))
        return Place(offset, array.shape, array.dtype)

    def _reserve(self, number: int, count: int) -> int:
        while (offset := self._end(number)) is None:
            time.sleep(_PAUSE)
        self._set_end(number + 1, offset + count)
        return offset

    def _end(self, number: int) -> int | None:
        """Where the array before that of this number ends, if that is known yet."""
        found = os.pread(self.ends, _OFFSET.size, number * _OFFSET.size)
        return (_OFFSET.unpack(found)[0] or None) if found else None

    def _set_end(self, number: int, offset: int) -> None:
        os.pwrite(self.ends, _OFFSET.pack(offset), number * _OFFSET.size)

    def get(self, place: Place) -> np.ndarray:
        """The array at ``place``."""
        found = np.empty(place.shape, place.kind)
        data, offset = _bytes(found), place.offset
        while data:
            read = os.preadv(self.handle, [data], offset)
            data, offset = data[read:], offset + read
        return found

    def flush(self) -> None:
        """Have on disk what was written. Raises OSError: a full disk."""
        os.fdatasync(self.handle)

    def write(self, offset: int, data: memoryview | bytes) -> None:
        """Write ``data`` at byte ``offset``. Raises OSError: a full disk."""
        while data:
            written = os.pwrite(self.handle, data, offset)
            data, offset = data[written:], offset + written


def _bytes(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
