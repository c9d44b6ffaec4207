"""Decode a part of a study's cases into one image shard and its table."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import CORES
from triage.data.shards import ImagesSettings, make


def main(
    settings: ImagesSettings,
    raw: Path,
    manifest: Path,
    shard: int,
    array: Path,
    table: Path,
    threads: int = CORES,
) -> None:
    """Write the shard."""
    make(raw, manifest, shard, settings, array, table, threads)


if __name__ == "__main__":
    command.run(main)
