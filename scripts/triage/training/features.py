"""Cached features of a trained slice network: an array, and a sealed table of its cases.

The array is [1 + draws, cases, slices, width] in float32; the table has a row a case, in order,
with the checksum of its features.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.files import damaged, read_array, read_rows, write_array, write_rows

Floats = NDArray[np.float32]
COLUMNS = ["case", "crc32"]
STEP = "features"


def write(features: Floats, names: Sequence[str], array: Path, table: Path) -> None:
    """Write both files."""
    sums = _checksums(features)
    rows = ({"case": name, "crc32": sum_} for name, sum_ in zip(names, sums, strict=True))
    write_rows(rows, COLUMNS, table, sealed=True)
    write_array(features, array)


def read(array: Path, table: Path) -> tuple[Floats, list[str]]:
    """The features, and the names of their cases. Raises UserError where either is damaged."""
    rows = read_rows(table, STEP)
    features = read_array(array, STEP)
    if features.dtype != np.float32 or features.ndim != 4 or features.shape[1] != len(rows):
        raise damaged(array, f"it does not hold features of {len(rows)} cases", STEP)
    for row, found in zip(rows, _checksums(features), strict=True):
        if row.get("crc32") != found:
            raise damaged(array, f"the features of case {row['case']} changed", STEP)
    return features, [row["case"] for row in rows]


def _checksums(features: Floats) -> list[str]:
    return [str(zlib.crc32(of_case.tobytes())) for of_case in features.swapaxes(0, 1)]
