"""Join what the index and the shards found: the cases that can be used, and the quarantine."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.manifest import make
from triage.data.readers import IndexSettings


def main(
    settings: IndexSettings,
    cases: Path,
    problems: Paths,
    raw: Path,
    manifest: Path,
    quarantine: Path,
) -> None:
    """Write the manifest and the quarantine; ``raw`` is for messages."""
    make(cases, problems, settings, raw, manifest, quarantine)


if __name__ == "__main__":
    command.run(main)
