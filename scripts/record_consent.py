"""Note each checkpoint that has seen a withdrawn case, before it is trained anew without it.

The list only grows, so that it can be told later which files have to be deleted elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.data.withdrawn import cases
from triage.files import read_rows, write_rows
from triage.training.consent import COLUMNS, merged, seen


def main(withdrawn: Path, checkpoints: Path, consent: Path) -> None:
    """Add to the list what the checkpoints below a folder, which lie there now, have seen."""
    known = read_rows(consent) if consent.exists() else []
    found = seen(sorted(checkpoints.glob("*/*/checkpoint.pt")), cases(withdrawn))
    for row in (rows := merged(known, found)):
        if row in found:
            command.log.info("%(checkpoint)s has seen withdrawn case %(case)s", row)
    write_rows(rows, COLUMNS, consent)


if __name__ == "__main__":
    command.run(main)
