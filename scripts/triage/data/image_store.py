"""Reading of image shards: rows by position, cropped, checked, without loading the rest."""

from __future__ import annotations

import os
from array import array as column
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from isal.isal_zlib import crc32

from triage.errors import UserError
from triage.files import damaged, each_row, read_array

Integers = npt.NDArray[np.int64]

_COLUMNS = ("row", "case", "index", "height", "width", "crc32")
_STEP = "images"
_VERIFY_ROWS = 64


@dataclass(frozen=True)
class Shard:
    """Images in one array [rows, channels, height, width], the slices of a case one after another.

    counts [cases]: slices of each case. sizes [rows, 2]: height and width of each image, the rest
    is filled up. checksums [rows]: None of an array that was never on disk, as ``path`` is.
    """

    array: np.ndarray
    cases: Sequence[str]
    counts: np.ndarray
    sizes: np.ndarray
    checksums: np.ndarray | None = None
    path: Path | None = None

    @classmethod
    def of(cls, array: np.ndarray, cases: Sequence[str]) -> Shard:
        """Images in memory, equally many a case."""
        counts = np.full(len(cases), len(array) // len(cases))
        return cls(array, cases, counts, np.broadcast_to(array.shape[2:], (len(array), 2)))

    @classmethod
    def read(cls, path: Path, table: Path) -> Shard:
        """A shard on disk. Raises UserError for a damaged file."""
        cases, numbers = _read_table(table)
        first, sizes = numbers[:, 0] == 0, numbers[:, 1:3]
        counts = np.diff(np.append(np.flatnonzero(first), len(numbers)))
        opened = _open_array(path, table, len(numbers))
        return cls(opened, cases, counts, sizes.copy(), numbers[:, 3].copy(), path)


class _Kind(NamedTuple):
    """Where images of one size lie."""

    shard: int
    height: int
    width: int


class Images:
    """The images of a study: all rows of all shards, numbered by their position.

    ``cases`` stand in the order of their images. Arrays stay on disk until they are read, and each
    image is compared with its checksum when it is read for the first time.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        filled = [shard for shard in shards if len(shard.array)]
        if not filled:
            raise UserError("hold no image", where=", ".join(str(shard.path) for shard in shards))
        self._shards = list(shards)
        self.channels = _channels(filled)
        self.dtype: np.dtype = np.result_type(*(shard.array.dtype for shard in filled))
        self.cases = [case for shard in shards for case in shard.cases]
        self._number = {case: number for number, case in enumerate(self.cases)}
        self._counts = np.concatenate([shard.counts for shard in shards]).astype(np.int64)
        self._firsts = _starts(self._counts)  # position of each case's first slice
        lengths = [len(shard.array) for shard in shards]
        self._offsets = _starts(lengths)  # position of each shard's first image
        sizes = np.concatenate([shard.sizes for shard in shards])
        self.height, self.width = map(int, sizes.max(axis=0))
        places = (np.repeat(np.arange(len(shards)), lengths), sizes[:, 0], sizes[:, 1])
        self._kinds, self._kind = _kinds(*places)
        self._unchecked = np.repeat([shard.checksums is not None for shard in shards], lengths)

    @classmethod
    def open(cls, arrays: Sequence[Path], tables: Sequence[Path]) -> Images:
        """The shards in these files, in this order. Raises UserError for a damaged file."""
        pairs = zip(arrays, tables, strict=True)
        return cls([Shard.read(Path(array), Path(table)) for array, table in pairs])

    @classmethod
    def of(cls, stacks: Mapping[str, np.ndarray], dtype: np.dtype, size: tuple[int, int]) -> Images:
        """Cases [slices, channels, height, width] in memory, as if they were of a store.

        That store's images are of ``dtype``, and ``size`` (height, width) is that of its largest.
        """
        return cls([Shard.of(stack, [case]) for case, stack in stacks.items()]).as_in(dtype, size)

    def as_in(self, dtype: np.dtype, size: tuple[int, int]) -> Images:
        """These images as if they were of a store of that ``dtype`` and largest ``size``."""
        self.dtype = np.result_type(self.dtype, dtype)
        self.height, self.width = size
        return self

    def __len__(self) -> int:
        return len(self._kind)

    @property
    def most_slices(self) -> int:
        """The slices of the case that has most of them; 1 where cases are single images."""
        return int(self._counts.max())

    def stack(self, case: str) -> np.ndarray:
        """All slices of a case [slices, channels, height, width] at their own size.

        Raises UserError for a case that is not stored.
        """
        positions = self.positions([case])
        return self.read(positions, self.size(positions[0]))

    def size(self, position: int) -> tuple[int, int]:
        """Height and width of the image at ``position``."""
        kind = self._kind_at(position)
        return kind.height, kind.width

    def _kind_at(self, position: int) -> _Kind:
        return self._kinds[self._kind[position]]

    def sizes(self, positions: Integers) -> np.ndarray:
        """Height and width of the images at ``positions``, [positions, 2]."""
        return np.array([kind[1:] for kind in self._kinds])[self._kind[positions]]

    def positions(self, cases: Iterable[str]) -> Integers:
        """Where all slices of these cases stand, one case after another.

        Raises UserError for a case that is not stored.
        """
        numbers = self._numbers(cases)
        counts = self._counts[numbers]
        ranks = np.arange(counts.sum()) - np.repeat(_starts(counts), counts)
        return np.repeat(self._firsts[numbers], counts) + ranks

    def rows(self, cases: Sequence[str], slices: Sequence[int] | None = None) -> Integers:
        """Positions [cases, slices] of the slices with these numbers, or of all of them.

        Raises UserError for a case that is not stored or has too few slices.
        """
        numbers = self._numbers(cases)
        counts = self._counts[numbers]
        if slices is None:
            slices = range(int(counts.max(initial=0)))
        wanted = np.asarray(slices, dtype=np.int64)
        if wanted.min(initial=0) < 0:
            raise ValueError(f"slice numbers begin at 0: {slices}")
        short = np.flatnonzero(counts <= wanted.max(initial=0))
        if len(short):
            raise UserError(
                f"case {cases[short[0]]} has {counts[short[0]]} slices, not {wanted.max() + 1}",
                where=self._where(),
                remedy="choose fewer slices, or raise index.min_slices to leave such cases out",
            )
        return self._firsts[numbers][:, None] + wanted

    def _numbers(self, cases: Iterable[str]) -> Integers:
        try:
            return np.array([self._number[case] for case in cases], dtype=np.int64)
        except KeyError as error:
            raise UserError(
                f"case {error.args[0]} is not among the images",
                where=self._where(),
                remedy="remake the images step, and what comes after it",
            ) from error

    def _where(self) -> Path | None:
        path = self._shards[0].path
        return path and path.parent

    def read(
        self, positions: npt.ArrayLike, size: int | tuple[int, int] | None = None
    ) -> np.ndarray:
        """The images at ``positions``, [*positions.shape, channels, height, width].

        ``size``: each is cropped about its centre, or filled up with zeros around it, to this
        height and width; None: to those of the largest image. Raises UserError naming the file
        that is damaged.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        flat = wanted.ravel()
        if (unchecked := flat[self._unchecked[flat]]).size:
            self.verify(unchecked)
        height, width = (size, size) if isinstance(size, int) else size or (self.height, self.width)
        found = np.zeros((len(flat), self.channels, height, width), dtype=self.dtype)
        for kind, where in self._by_kind(flat):
            (top, top_to), (left, left_to) = _fit(kind.height, height), _fit(kind.width, width)
            source = self._shards[kind.shard].array[:, :, top, left]
            found[where, :, top_to, left_to] = source[flat[where] - self._offsets[kind.shard]]
        return found.reshape(*wanted.shape, *found.shape[1:])

    def verify(self, positions: npt.ArrayLike | None = None, threads: int | None = None) -> None:
        """Compare the images at ``positions`` (default: all) with their recorded checksums.

        Raises UserError naming the file that is damaged.
        """
        flat = np.arange(len(self)) if positions is None else np.unique(np.asarray(positions))
        parts = [flat[i : i + _VERIFY_ROWS] for i in range(0, len(flat), _VERIFY_ROWS)]
        with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
            for bad in pool.map(self._damaged, parts):
                if bad is not None:
                    raise self._damage_at(bad)
        self._unchecked[flat] = False

    def _damaged(self, positions: Integers) -> int | None:
        """The first of ``positions`` whose image is not what was written."""
        for position in positions.tolist():
            number = self._kind_at(position).shard
            shard, row = self._shards[number], position - self._offsets[number]
            if shard.checksums is not None and crc32(shard.array[row]) != shard.checksums[row]:
                return int(position)
        return None

    def _damage_at(self, position: int) -> UserError:
        path = self._shards[self._kind_at(position).shard].path
        case = int(np.searchsorted(self._firsts, position, side="right")) - 1
        number = position - self._firsts[case]
        assert path is not None
        how = f"slice {number} of case {self.cases[case]} is not what was written"
        return damaged(path, how, _STEP)

    def _by_kind(self, positions: Integers) -> Iterator[tuple[_Kind, np.ndarray]]:
        """Which of ``positions`` are of which kind."""
        kinds = self._kind[positions]
        order = np.argsort(kinds, kind="stable")
        present, starts = np.unique(kinds[order], return_index=True)
        for kind, where in zip(present, np.split(order, starts[1:]), strict=True):
            yield self._kinds[kind], where


def _channels(shards: Sequence[Shard]) -> int:
    """Of all images. Raises UserError where shards differ."""
    first = shards[0]
    for other in shards:
        one, two = first.array.shape[1], other.array.shape[1]
        if one != two:
            raise UserError(
                f"has {two} channels, but {first.path} has {one}",
                where=other.path,
                remedy=f"delete both and start again: the {_STEP} step makes them anew",
            )
    return first.array.shape[1]


def _kinds(shards: Integers, heights: Integers, widths: Integers) -> tuple[list[_Kind], np.ndarray]:
    """The kinds that there are, and each image's as its number among them."""
    tall, wide = int(heights.max()) + 1, int(widths.max()) + 1
    packed = (shards * tall + heights) * wide + widths  # one number sorts far faster than three
    found, numbers = np.unique(packed, return_inverse=True)
    above, width = np.divmod(found, wide)
    shard, height = np.divmod(above, tall)
    kinds = zip(shard.tolist(), height.tolist(), width.tolist(), strict=True)
    return [_Kind(*kind) for kind in kinds], numbers.reshape(-1).astype(np.int32)


def _starts(counts: npt.ArrayLike) -> Integers:
    """Where runs of these lengths begin that follow one another."""
    lengths = np.asarray(counts, np.int64)
    return lengths.cumsum() - lengths


def _read_table(path: Path) -> tuple[list[str], Integers]:
    """The cases of a shard; of each row its slice's number, height, width and checksum."""
    cases: list[str] = []
    numbers = column("q")
    for row in each_row(path, _STEP, _COLUMNS):
        try:
            place = int(row["row"])
            own = [int(row[name]) for name in ("index", "height", "width", "crc32")]
        except ValueError as error:
            raise damaged(path, str(error), _STEP) from error
        if own[0] == 0:
            cases.append(row["case"])
        if 4 * place != len(numbers) or not cases or row["case"] != cases[-1]:
            raise damaged(path, f"row {place} is not where it belongs", _STEP)
        numbers.extend(own)
    return cases, np.array(numbers, np.int64).reshape(-1, 4)


def _open_array(array: Path, table: Path, rows: int) -> np.ndarray:
    opened = read_array(array, _STEP, mapped=rows > 0)  # an empty array has nothing to map
    if opened.ndim != 4 or len(opened) != rows:
        raise damaged(array, f"it has not the {rows} rows of its table {table}", _STEP)
    if opened.dtype.kind not in "iuf" or not opened.dtype.isnative:
        raise damaged(array, "its kind of numbers is not what was written", _STEP)
    return opened


def _fit(own: int, wanted: int) -> tuple[slice, slice]:
    """Which part of an axis is taken, and where it goes."""
    length, start = min(own, wanted), abs(own - wanted) // 2
    inner, whole = slice(start, start + length), slice(0, length)
    return (inner, whole) if own > wanted else (whole, inner)
