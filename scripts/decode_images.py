"""Write one shard of a study's images: all slices of some cases, decoded."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import CORES
from triage.data.shards import ImagesSettings, make


def main(
    settings: ImagesSettings,
    raw: Path,
    cases: Path,
    array: Path,
    table: Path,
    problems: Path,
    threads: int = CORES,
) -> None:
    """Write the array, its table, and what can't be used."""
    make(raw, cases, settings, array, table, problems, threads)


if __name__ == "__main__":
    command.run(main)
