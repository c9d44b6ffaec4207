"""Split a study's cases into training, validation and test for one fold."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.split import SplitSettings, make, read_fingerprints
from triage.files import read_table, write_table


def main(settings: SplitSettings, manifest: Path, tables: Paths, fold: int, split: Path) -> None:
    """Write the split."""
    columns = ["case", "group", "label", "votes", "partition", "sha256"]
    cases = read_table(manifest, columns, usecols=columns.__contains__)
    fingerprints = read_fingerprints(tables, cases["case"].tolist())
    made = make(cases, fingerprints, fold, settings)
    write_table(made, split)


if __name__ == "__main__":
    command.run(main)
