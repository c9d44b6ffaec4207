"""List the cases of a study, shard by shard, and what can't be used and why; decode nothing."""

from __future__ import annotations

import gc
from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data import index
from triage.data.readers import IndexSettings


def main(
    settings: IndexSettings,
    raw: Path,
    inventory: Path,
    cases: Path,
    problems: Path,
    files_withdrawn: Path,
    shards: Paths,
    withdrawn: Path | None = None,
) -> None:
    """Write the table of cases, that of problems, and the cases of each shard."""
    gc.disable()  # millions of rows that hold no cycles would be looked through again and again
    made = index.make(raw, inventory, withdrawn, settings)
    made.write(cases, problems, files_withdrawn, shards)


if __name__ == "__main__":
    command.run(main)
