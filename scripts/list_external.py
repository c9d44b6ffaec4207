"""List the external sets of a study, with how many cases each has."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.files import read_json, read_rows, write_rows

COLUMNS = ["set", "cases", "labelled", "excluded", "unlike"]


def main(sets: Path, groups: Paths = (), shifts: Paths = ()) -> None:
    """Write a row a set; ``unlike`` counts cases out of the range of the training images, of those
    that the step ``shift`` has looked at."""
    found = []
    for path, shift in zip(groups, shifts, strict=True):
        rows = read_rows(path)
        left = [row for row in rows if row["part"] != "excluded"]
        row = {"set": path.parent.name, "cases": len(left), "excluded": len(rows) - len(left)}
        row |= {"labelled": sum(bool(each["label"]) for each in left)}
        found.append(row | {"unlike": read_json(shift)["unlike"]})
    write_rows(found, COLUMNS, sets)


if __name__ == "__main__":
    command.run(main)
