"""Generate a study's raw data: stand-ins in the exact layout of the real ones."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from triage import command
from triage.data import inventory
from triage.data.phantoms.settings import PHANTOMS
from triage.settings import parse


def main(arguments: argparse.Namespace) -> None:
    """Write the raw folder, in place of earlier phantoms, then the list of its files."""
    phantom = importlib.import_module(f"triage.data.phantoms.{arguments.study}")
    settings: Any = parse(PHANTOMS[arguments.study], arguments.settings)
    phantom.generate(settings, arguments.raw, workers=arguments.threads)
    inventory.write(arguments.raw, arguments.inventory)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--study", required=True)
    options.add_argument("--settings", required=True, help="the phantom's settings as JSON")
    options.add_argument("--raw", type=Path, required=True, help="the folder to write")
    options.add_argument("--inventory", type=Path, required=True)
    command.run(main, options)
