"""Reading of image shards: rows by position, cropped, checked, without loading the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from isal.isal_zlib import crc32

from triage.errors import UserError
from triage.files import damaged, read_array, read_table

_COLUMNS = ["row", "case", "index", "height", "width", "fingerprint", "crc32"]
_NUMBERS = dict.fromkeys(("row", "index", "height", "width", "crc32"), "int64")
_STEP = "images"
_VERIFY_ROWS = 64


class _Kind(NamedTuple):
    """Where rows of one size lie."""

    shard: int
    height: int
    width: int


class Images:
    """The images of a study: all rows of all shards, numbered by their position.

    ``table`` has a row for each position: shard, row (in the shard), case, index (slice number),
    height, width, fingerprint, crc32. Arrays stay on disk until they are read, and each image is
    compared with its checksum when it is read for the first time.
    """

    def __init__(
        self, table: pd.DataFrame, arrays: Sequence[np.ndarray], paths: Sequence[Path]
    ) -> None:
        self.table = table
        self._arrays = list(arrays)
        self._paths = list(paths)
        # What was never on disk can't be damaged.
        self._unchecked = np.full(len(table), bool(paths))
        filled = [array for array in arrays if len(array)]
        if not filled:
            raise UserError("hold no image", where=", ".join(map(str, paths)))
        self.channels: int = filled[0].shape[1]
        self.dtype: np.dtype = np.result_type(*(array.dtype for array in filled))
        self.height, self.width = int(table["height"].max()), int(table["width"].max())
        self._row = table["row"].to_numpy()
        sizes, self._kind = np.unique(
            table[["shard", "height", "width"]].to_numpy(), axis=0, return_inverse=True
        )
        self._kinds = [_Kind(*map(int, size)) for size in sizes]
        starts = np.flatnonzero(table["index"].to_numpy() == 0)
        counts = np.diff(np.append(starts, len(table)))
        self._slices = dict(
            zip(table["case"].to_numpy()[starts], zip(starts, counts, strict=True), strict=True)
        )

    @classmethod
    def open(cls, arrays: Sequence[Path], tables: Sequence[Path]) -> Images:
        """The shards in these files, in this order. Raises UserError for a damaged file."""
        opened, parts = [], []
        for shard, (array, table) in enumerate(zip(arrays, tables, strict=True)):
            part = _read_table(table)
            part.insert(0, "shard", shard)
            opened.append(_open_array(array, table, len(part)))
            parts.append(part)
        return cls(pd.concat(parts, ignore_index=True), opened, [Path(path) for path in arrays])

    @classmethod
    def of(cls, stacks: Mapping[str, np.ndarray], dtype: np.dtype, size: tuple[int, int]) -> Images:
        """Cases [slices, channels, height, width] in memory, as if they were of a store.

        That store's images are of ``dtype``, and ``size`` (height, width) is that of its largest.
        """
        parts = []
        for shard, (case, stack) in enumerate(stacks.items()):
            rows = np.arange(len(stack))
            part = pd.DataFrame({"shard": shard, "row": rows, "case": case, "index": rows})
            part["height"], part["width"] = stack.shape[2:]
            parts.append(part.assign(fingerprint="", crc32=0))
        found = cls(pd.concat(parts, ignore_index=True), list(stacks.values()), [])
        found.dtype = np.result_type(found.dtype, dtype)
        found.height, found.width = size
        return found

    def __len__(self) -> int:
        return len(self.table)

    def stack(self, case: str) -> np.ndarray:
        """All slices of a case [slices, channels, height, width] at their own size.

        Raises UserError for a case that is not stored.
        """
        positions = self.rows([case])[0]
        first = self.table.iloc[positions[0]]
        return self.read(positions, (int(first["height"]), int(first["width"])))

    def rows(self, cases: Sequence[str], slices: Sequence[int] | None = None) -> np.ndarray:
        """Positions [cases, slices] of the slices with these numbers, or of all of them.

        Raises UserError for a case that is not stored or has too few slices.
        """
        unknown = [case for case in cases if case not in self._slices]
        if unknown:
            raise UserError(
                f"case {unknown[0]} is not among the images",
                where=self._paths[0].parent,
                remedy="remake the images step, and what comes after it",
            )
        places = np.array([self._slices[case] for case in cases], dtype=np.int64).reshape(-1, 2)
        counts = places[:, 1]
        if slices is None:
            slices = range(int(counts.max(initial=0)))
        wanted = np.asarray(slices, dtype=np.int64)
        if wanted.min(initial=0) < 0:
            raise ValueError(f"slice numbers begin at 0: {slices}")
        short = np.flatnonzero(counts <= wanted.max(initial=0))
        if len(short):
            raise UserError(
                f"case {cases[short[0]]} has {counts[short[0]]} slices, not {wanted.max() + 1}",
                where=self._paths[0].parent,
                remedy="choose fewer slices, or raise index.min_slices to leave such cases out",
            )
        return places[:, :1] + wanted

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
            source = self._arrays[kind.shard][:, :, top, left]
            found[where, :, top_to, left_to] = source[self._row[flat[where]]]
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
                    row = self.table.iloc[bad]
                    how = f"slice {row['index']} of case {row['case']} is not what was written"
                    raise damaged(self._paths[row["shard"]], how, _STEP)
        self._unchecked[flat] = False

    def _damaged(self, positions: np.ndarray) -> int | None:
        """The first of ``positions`` whose image is not what was written."""
        shards = self.table["shard"].to_numpy()[positions]
        expected = self.table["crc32"].to_numpy()[positions]
        for position, shard, checksum in zip(positions, shards, expected, strict=True):
            if crc32(self._arrays[shard][self._row[position]]) != checksum:
                return int(position)
        return None

    def _by_kind(self, positions: np.ndarray) -> Iterator[tuple[_Kind, np.ndarray]]:
        """Which of ``positions`` are of which kind."""
        kinds = self._kind[positions]
        order = np.argsort(kinds, kind="stable")
        present, starts = np.unique(kinds[order], return_index=True)
        for kind, where in zip(present, np.split(order, starts[1:]), strict=True):
            yield self._kinds[kind], where


def _read_table(path: Path) -> pd.DataFrame:
    table = read_table(path, _COLUMNS, step=_STEP)
    try:
        return table.astype(_NUMBERS)
    except ValueError as error:
        raise damaged(path, str(error), _STEP) from error


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
