"""Find what belongs together in a study, and deal the groups to folds that they then keep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data import attributes
from triage.data.dealing import FOLD_COLUMNS
from triage.data.groups import SplitSettings, make, read_shown
from triage.data.shards import Decoding, fingerprints
from triage.data.withdrawn import read_files
from triage.files import each_row, read_table, write_rows, write_table


@dataclass(frozen=True)
class GroupSettings:
    """How cases are split, and how the files of withdrawn ones are decoded, to know copies."""

    split: SplitSettings
    images: Decoding


def main(
    settings: GroupSettings,
    raw: Path,
    withdrawn: Path,
    manifest: Path,
    tables: Paths,
    groups: Path,
    folds: Path,
) -> None:
    """Write the table of groups, and add new ones to the folds."""
    columns = ["case", "group", "label", "votes", "partition", "sha256"]
    columns += [attributes.COLUMN] if settings.split.leave_out else []
    cases = read_table(manifest, columns, usecols=columns.__contains__)
    shown = read_shown(tables, cases["case"].tolist())
    known = {}
    if folds.exists():
        dealt = each_row(folds, columns=FOLD_COLUMNS)
        known = {row["group"]: int(row["fold"]) for row in dealt}
    gone = fingerprints(raw, [each.files for each in read_files(withdrawn)], settings.images)
    made, fold_of = make(cases, shown, settings.split, known, gone)
    write_table(made, groups)
    rows = [{"group": group, "fold": fold} for group, fold in sorted(fold_of.items())]
    write_rows(rows, FOLD_COLUMNS, folds)


if __name__ == "__main__":
    command.run(main)
