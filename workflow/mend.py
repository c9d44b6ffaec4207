"""Mend snakemake.lock and dvc.lock after a merge that conflicted, or after damage.

Where the two sides of a merge differ, the side that fits the files at hand is taken, else ours.
That is safe: both engines compare contents, so a wrong choice only makes files stale.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from engines.contents import Contents
from engines.knowledge import STATE
from engines.lock import LOCK, Lock, Origin, mend, sides
from triage import command
from triage.errors import UserError
from triage.files import write_text

DVC_LOCK = Path("dvc.lock")


def main(_: argparse.Namespace) -> None:
    """Write both locks anew, as far as they need it."""
    mended = [str(path) for path, done in ((LOCK, _snakemake()), (DVC_LOCK, _dvc())) if done]
    if not mended:
        print("Both locks are whole.")
        return
    print(f"Mended {' and '.join(mended)}. Next:")
    print(f"  git add {' '.join(mended)}, and finish the merge if there is one")
    print("  dvc checkout, then snakemake or dvc repro, which make what fits neither side")


def _snakemake() -> bool:
    text = _text(LOCK)
    try:
        Lock.parse(text)
    except UserError:
        contents = Contents(STATE / "contents.json")

        def agrees(origin: Origin) -> bool:
            return all(contents.sha256(path) == sum_ for path, sum_ in origin.outputs.items())

        mend(text, agrees).write(LOCK)
        contents.save()
        return True
    return False


def _dvc() -> bool:
    """Take our side of each conflict; DVC checks all it says against the files."""
    text = _text(DVC_LOCK)
    ours = sides(text)[0]
    if ours == text:
        return False
    try:
        yaml.safe_load(ours)
    except yaml.YAMLError as error:
        remedy = f"take it back as a whole: git checkout --ours {DVC_LOCK}"
        raise UserError("can't be mended", where=DVC_LOCK, remedy=remedy) from error
    write_text(ours + "\n", DVC_LOCK)
    return True


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    return path.read_text(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    command.run(main, command.parser(__doc__))
