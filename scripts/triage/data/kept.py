"""What a shard held the last time: images of files that have not changed are not decoded again.

A note in a scratch folder says how the shard was decoded and of which files, and which table that
gave. It may be deleted; then everything is decoded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from isal.isal_zlib import crc32

from triage.data.readers import Loading
from triage.errors import UserError
from triage.files import each_row, read_array, sha256, write_text

_STEP = "images"
_COLUMNS = ["case", "files", "sha256"]


class Kept(NamedTuple):
    """Where the slices of a case lie in an array, their size, checksums, and fingerprint."""

    array: Path
    row: int
    height: int
    width: int
    checksums: list[int]
    fingerprint: str

    def image(self) -> np.ndarray | None:
        """[slices, channels, height, width]; None where it is not what was written."""
        slices = _mapped(self.array)[self.row : self.row + len(self.checksums)]
        if checksums(slices) != self.checksums:
            return None
        return slices[:, :, : self.height, : self.width]


def checksums(slices: np.ndarray) -> list[int]:
    """Of each of them."""
    return [crc32(each) for each in slices]


@cache
def _mapped(array: Path) -> np.ndarray:
    return read_array(array, _STEP, mapped=True)


class Note:
    """What is noted of a shard in ``folder``: how it was decoded, and of which files."""

    def __init__(self, folder: Path, table: Path, settings: Loading, code: str) -> None:
        self._table = table
        self._list, self._about = folder / table.name, folder / f"{table.stem}.json"
        text = json.dumps([asdict(settings), code])
        self._how = hashlib.sha256(text.encode()).hexdigest()

    def unchanged(self, array: Path, cases: Path) -> Mapping[str, Kept]:
        """The images in ``array`` of those ``cases`` whose files are what they were."""
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
            if about != {"how": self._how, "table": sha256(self._table)}:
                return {}
            before = {row["case"]: _files(row) for row in each_row(self._list, columns=_COLUMNS)}
            rows = each_row(cases, "index", _COLUMNS)
            same = {row["case"] for row in rows if before.get(row["case"]) == _files(row)}
            read_array(array, _STEP, mapped=True)
            return _kept(array, each_row(self._table, _STEP), same)
        except (OSError, ValueError, UserError):
            return {}  # a lost or damaged shard or note only costs time

    def write(self, cases: Path) -> None:
        """Note what the shard is now."""
        self._list.parent.mkdir(parents=True, exist_ok=True)
        self._about.unlink(missing_ok=True)
        shutil.copyfile(cases, self._list)
        write_text(json.dumps({"how": self._how, "table": sha256(self._table)}), self._about)


def _files(row: Mapping[str, str]) -> tuple[str, str]:
    return row["files"], row["sha256"]


def _kept(array: Path, rows: Iterable[Mapping[str, str]], wanted: set[str]) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for row in rows:
        case = row["case"]
        if case not in wanted:
            continue
        if case not in found:
            place = int(row["row"]), int(row["height"]), int(row["width"])
            found[case] = Kept(array, *place, [], "")
        found[case].checksums.append(int(row["crc32"]))
        if row["fingerprint"]:
            found[case] = found[case]._replace(fingerprint=row["fingerprint"])
    return found
