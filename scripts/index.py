"""List the usable cases of a study, and what can't be used and why."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import CORES
from triage.data import index
from triage.data.readers import IndexSettings


def main(
    settings: IndexSettings,
    raw: Path,
    inventory: Path,
    manifest: Path,
    quarantine: Path,
    withdrawn: Path | None = None,
    threads: int = CORES,
) -> None:
    """Write the manifest and the quarantine."""
    made = index.make(raw, inventory, withdrawn, settings, threads)
    made.write(manifest, quarantine)


if __name__ == "__main__":
    command.run(main)
