"""The table of withdrawn cases, which people write with any editor."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from pathlib import Path

from triage.errors import UserError
from triage.files import plain
from triage.shield import unshielded

COLUMNS = ["case", "date", "reason"]
_REMEDY = f"must be a CSV file in UTF-8 with the columns {','.join(COLUMNS)}"


def read(table: Path) -> list[dict[str, str]]:
    """A row for each withdrawn case, with COLUMNS.

    Raises UserError where the table can't be read, or a row names no case.
    """
    try:
        text = plain(table).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't be read ({error})", where=table, remedy=_REMEDY) from error
    rows = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
    if "case" not in (rows.fieldnames or ()):
        raise UserError("lacks the column case", where=table, remedy=_REMEDY)
    found = []
    for row in rows:
        cells = {name: unshielded((row.get(name) or "").strip()) for name in COLUMNS}
        if cells["case"]:
            found.append(cells)
        elif any(row.values()):
            raise UserError("names no case", where=f"{table}, line {rows.line_num}", remedy=_REMEDY)
    return found


def cases(table: Path) -> set[str]:
    """The withdrawn cases. Raises UserError as ``read`` does."""
    return {row["case"] for row in read(table)}


def copies(withdrawn: Collection[str], manifest: Collection[Mapping[str, str]]) -> set[str]:
    """The cases of a manifest whose files are, byte by byte, those of a withdrawn one."""
    contents = {row["sha256"] for row in manifest if row["case"] in withdrawn}
    return {row["case"] for row in manifest if row["sha256"] in contents} - set(withdrawn)
