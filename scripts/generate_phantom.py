"""Generate a study's raw data: stand-ins in the exact layout of the real ones."""

from __future__ import annotations

import importlib
from pathlib import Path

from triage import command
from triage.arguments import CORES
from triage.data.inventory import write
from triage.settings import parse


def main(study: str, settings: str, raw: Path, inventory: Path, threads: int = CORES) -> None:
    """Write the raw folder, in place of earlier phantoms, then the list of its files."""
    phantom = importlib.import_module(f"triage.data.phantoms.{study}")
    phantom.generate(parse(phantom.Settings, settings), raw, workers=threads)
    write(raw, inventory)


if __name__ == "__main__":
    command.run(main)
