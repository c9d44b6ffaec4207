"""Write one shard of a study's images: all slices of some cases, decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from triage import command
from triage.arguments import CORES
from triage.data.kept import Note
from triage.data.shards import ImagesSettings, make


def main(
    settings: ImagesSettings,
    raw: Path,
    cases: Path,
    array: Path,
    table: Path,
    problems: Path,
    code: Annotated[str, "digest of the code; with another one, all is decoded anew"] = "",
    scratch: Annotated[Path | None, "folder of notes on what was decoded the last time"] = None,
    threads: int = CORES,
) -> None:
    """Write the array, its table, and what can't be used."""
    note = Note(scratch, table, settings, code) if scratch else None
    make(raw, cases, settings, array, table, problems, threads, note)


if __name__ == "__main__":
    command.run(main)
