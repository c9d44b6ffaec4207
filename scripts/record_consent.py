"""Note each checkpoint that has seen a withdrawn case, before it is trained anew without it.

The record is only added to, and no engine owns it, so that it can be told later which files have to
be deleted elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.data.withdrawn import cases, copies, near_copies
from triage.files import read_rows
from triage.training.consent import add, seen


def main(
    checkpoints: Path,
    consent: Path,
    withdrawn: Path | None = None,
    manifest: Path | None = None,
    groups: Path | None = None,
) -> None:
    """Add to the list what the checkpoints below a folder, which lie there now, have seen.

    ``manifest``: of the cases they were trained on, if there is one yet; it tells copies of what
    the table ``withdrawn`` names, and that of ``groups`` near copies.
    """
    gone = cases(withdrawn) if withdrawn else set()
    gone |= copies(gone, read_rows(manifest)) if manifest and manifest.exists() else set()
    gone |= near_copies(groups) if groups else set()
    found = seen(sorted(checkpoints.glob("*/*/checkpoint.pt")), gone)
    for row in add(found, consent):
        command.log.info("%(checkpoint)s has seen withdrawn case %(case)s", row)


if __name__ == "__main__":
    command.run(main)
