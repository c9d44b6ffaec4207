"""Join what the index and the shards found: the cases that can be used, the quarantine, and a count
of all files."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.manifest import make
from triage.data.readers import IndexSettings
from triage.data.withdrawn import read_files


def main(
    settings: IndexSettings,
    cases: Path,
    problems: Paths,
    inventory: Path,
    raw: Path,
    manifest: Path,
    withdrawn: Path,
    quarantine: Path,
    counts: Path,
) -> None:
    """Write the manifest, the quarantine and the counts; ``raw`` is for messages."""
    gone = [path for each in read_files(withdrawn) for path in each.parts]
    make(cases, problems, inventory, settings, raw, manifest, quarantine, counts, gone)


if __name__ == "__main__":
    command.run(main)
