"""Draw what the arms of a study reach on its external sets, and how these images differ."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.figures import external as drawing
from triage.figures import style
from triage.files import read_json, read_rows


def main(table: Path, external: Path, shifts: Paths, figure: Path) -> None:
    found = {path.parent.name: read_json(path) for path in shifts}
    with style.styled():
        style.save(drawing.external(read_rows(table), read_rows(external), found), figure)


if __name__ == "__main__":
    command.run(main)
