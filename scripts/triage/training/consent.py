"""Which checkpoints have seen cases whose consent was withdrawn."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from triage.files import read_json, read_rows
from triage.shield import shielded

COLUMNS = ["case", "partition", "checkpoint", "md5", "commit"]
Row = dict[str, str]


def seen(checkpoints: Iterable[Path], cases: set[str]) -> list[Row]:
    """A row for each of ``cases`` in each checkpoint that trained on it or was chosen by it.

    ``md5`` is the name under which DVC keeps the file in caches and remotes, ``commit`` that of
    the code which trained it.
    """
    return [row for path in checkpoints if cases for row in _seen_by(path, cases)]


def merged(known: Iterable[Row], found: Iterable[Row]) -> list[Row]:
    """All rows once, sorted."""
    rows = {tuple(row.get(name) or "" for name in COLUMNS) for row in (*known, *found)}
    return [dict(zip(COLUMNS, row, strict=True)) for row in sorted(rows)]


def add(found: Iterable[Row], record: Path) -> list[Row]:
    """Add to a record what it doesn't have yet, and nothing else to it. Returns what was new."""
    known = read_rows(record) if record.exists() else []
    have = merged(known, [])
    new = [row for row in merged(found, []) if row not in have]
    record.parent.mkdir(parents=True, exist_ok=True)
    with open(record, "a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        if stream.tell() == 0:
            writer.writeheader()
        writer.writerows({name: shielded(cell) for name, cell in row.items()} for row in new)
        stream.flush()
        os.fsync(stream.fileno())
    return new


def _seen_by(path: Path, cases: set[str]) -> list[Row]:
    from triage.training.checkpoint import Checkpoint  # which takes long to import

    record = path.with_name("record.json")
    commit = read_json(record).get("git_commit") if record.exists() else None
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return [
        {
            "case": case,
            "partition": partition,
            "checkpoint": path.as_posix(),
            "md5": md5,
            "commit": commit or "",
        }
        for partition, names in Checkpoint.load(path).cases.items()
        for case in sorted(cases.intersection(names))
    ]
