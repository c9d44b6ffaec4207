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
from triage.shield import unshielded
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
    tracked = _git("ls-files", "data/*/consent.csv").split()
    for study in sorted({Path(path).parent.name for path in tracked} | _studies_kept()):
        path, kept = Path(f"data/{study}/consent.csv"), KEPT / f"{study}.csv"
        rows, known = merged(_rows(path), []), merged(_rows(kept), _committed(path))
        if missing := [row for row in known if row not in rows]:
            write_rows(known, COLUMNS, kept)
            yield path, missing, kept


def _studies_kept() -> set[str]:
    return {path.stem for path in KEPT.glob("*.csv")}


def _rows(path: Path) -> list[Row]:
    return read_rows(path) if path.exists() else []


def _committed(path: Path) -> list[Row]:
    rows = csv.DictReader(_git("show", f"HEAD:./{path}").splitlines())
    return [{name: unshielded(cell) for name, cell in row.items()} for row in rows]


def _git(*arguments: str) -> str:
    """What git prints; nothing where there is no git, or nothing committed."""
    try:
        asked = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return asked.stdout if asked.returncode == 0 else ""
