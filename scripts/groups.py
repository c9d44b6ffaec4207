"""Find what belongs together in a study, and deal the groups to folds that they then keep."""

from __future__ import annotations

import argparse
from pathlib import Path

from triage import command
from triage.data import groups
from triage.files import each_row, read_table, write_rows, write_table
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the table of groups, and add new ones to the folds."""
    settings = parse(groups.SplitSettings, arguments.settings)
    columns = ["case", "group", "label", "votes", "partition", "sha256"]
    manifest = read_table(arguments.manifest, columns, usecols=columns.__contains__)
    shown = groups.read_shown(arguments.tables, manifest["case"].tolist())
    known = {}
    if arguments.folds.exists():
        dealt = each_row(arguments.folds, columns=groups.FOLD_COLUMNS)
        known = {row["group"]: int(row["fold"]) for row in dealt}
    made, folds = groups.make(manifest, shown, settings, known)
    write_table(made, arguments.output)
    rows = [{"group": group, "fold": fold} for group, fold in sorted(folds.items())]
    write_rows(rows, groups.FOLD_COLUMNS, arguments.folds)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--manifest", type=Path, required=True)
    options.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="the tables of all image shards"
    )
    options.add_argument("--settings", required=True, help="JSON")
    options.add_argument("--folds", type=Path, required=True, help="kept and added to")
    options.add_argument("--output", type=Path, required=True, help="to write")
    command.run(main, options)
