"""The records of withdrawn consent: tables that only grow, so that a lost row is noticed.

They are no results: no rule and no stage owns them, so that no engine deletes them. Every row that
was ever seen here is kept beside the records of this machine, and git keeps what was committed.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from triage_workflow.engines.running import STATE

from triage.files import read_rows, write_rows
from triage.training.consent import COLUMNS, Row, merged

KEPT = STATE / "consent"


def provide(studies: Iterable[str]) -> None:
    """An empty record for each study that has none yet."""
    for study in studies:
        path = Path(f"data/{study}/consent.csv")
        if not path.exists():
            write_rows([], COLUMNS, path)


def keep() -> None:
    """Remember all rows that there are."""
    for path in Path("data").glob("*/consent.csv"):
        kept = KEPT / f"{path.parent.name}.csv"
        known = _rows(kept)
        rows = merged(known, _rows(path))
        if rows != known:
            write_rows(rows, COLUMNS, kept)


def lost() -> Iterator[tuple[Path, list[Row], Path]]:
    """Records that lack rows they had: these rows, and a table of all, to put in place."""
    keep()
    for path in sorted({*Path("data").glob("*/consent.csv"), *_kept()}):
        kept = KEPT / f"{path.parent.name}.csv"
        rows, known = _rows(path), merged(_rows(kept), _committed(path))
        if missing := [row for row in known if row not in merged(rows, [])]:
            write_rows(merged(known, rows), COLUMNS, kept)
            yield path, missing, kept


def _kept() -> Iterator[Path]:
    return (Path(f"data/{path.stem}/consent.csv") for path in KEPT.glob("*.csv"))


def _rows(path: Path) -> list[Row]:
    return read_rows(path) if path.exists() else []


def _committed(path: Path) -> list[Row]:
    asked = subprocess.run(
        ["git", "show", f"HEAD:./{path.as_posix()}"], capture_output=True, text=True, check=False
    )
    return list(csv.DictReader(asked.stdout.splitlines())) if asked.returncode == 0 else []
