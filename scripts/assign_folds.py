"""Find what belongs together in a study, and deal the groups to folds that they then keep."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data import attributes
from triage.data.groups import FOLD_COLUMNS, SplitSettings, make, read_shown
from triage.files import each_row, read_table, write_rows, write_table


def main(settings: SplitSettings, manifest: Path, tables: Paths, groups: Path, folds: Path) -> None:
    """Write the table of groups, and add new ones to the folds."""
    columns = ["case", "group", "label", "votes", "partition", "sha256"]
    columns += [attributes.COLUMN] if settings.leave_out else []
    cases = read_table(manifest, columns, usecols=columns.__contains__)
    shown = read_shown(tables, cases["case"].tolist())
    known = {}
    if folds.exists():
        dealt = each_row(folds, columns=FOLD_COLUMNS)
        known = {row["group"]: int(row["fold"]) for row in dealt}
    made, fold_of = make(cases, shown, settings, known)
    write_table(made, groups)
    rows = [{"group": group, "fold": fold} for group, fold in sorted(fold_of.items())]
    write_rows(rows, FOLD_COLUMNS, folds)


if __name__ == "__main__":
    command.run(main)
