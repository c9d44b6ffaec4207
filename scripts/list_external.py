"""List the external sets of a study, with how many cases each has."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.arguments import Paths
from triage.data.withdrawn import NEAR_WITHDRAWN
from triage.files import read_json, read_rows, write_rows

COLUMNS = ["set", "cases", "labelled", "seen", "withdrawn", "unlike"]


def main(sets: Path, groups: Paths = (), shifts: Paths = ()) -> None:
    """Write a row a set.

    ``seen`` and ``withdrawn`` count cases that are left out: what training or validation has seen,
    and near copies of withdrawn cases. ``unlike`` are out of the range of the training images, of
    those that the step ``shift`` has looked at.
    """
    found = []
    for path, shift in zip(groups, shifts, strict=True):
        rows = read_rows(path)
        left = [row for row in rows if row["part"] != "excluded"]
        near = sum(row["reason"] == NEAR_WITHDRAWN for row in rows)
        row = {"set": path.parent.name, "cases": len(left), "withdrawn": near}
        row |= {"labelled": sum(bool(each["label"]) for each in left)}
        row |= {"seen": len(rows) - len(left) - near}
        found.append(row | {"unlike": read_json(shift)["unlike"]})
    write_rows(found, COLUMNS, sets)


if __name__ == "__main__":
    command.run(main)
