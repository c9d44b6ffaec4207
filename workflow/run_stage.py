"""Make the files of one stage: the command of every stage in dvc.yaml.

DVC hands commands to a shell as they stand after it has filled in names from params.yaml, which
may hold anything. So no name stands in a command: DVC tells the stage's in a variable, and here it
takes the place of the @ in the target, if it is a name at all.
"""

from __future__ import annotations

import os
import re
import sys

NAME = re.compile(r"[a-z][a-z0-9_]*")
VARIABLE = "DVC_STAGE"


def main() -> None:
    """Become Snakemake with the target, which is the only argument."""
    target = sys.argv[1]
    if "@" in target:
        name = os.environ.get(VARIABLE, "").partition("@")[2]
        if not NAME.fullmatch(name):
            sys.exit(
                f"error: params.yaml: {name!r} is no name of a study, phantom or network\n"
                "  -> small letters, digits and _, a letter first, as in brain_mri"
            )
        target = target.replace("@", name)
    os.execvp("snakemake", ["snakemake", target])


if __name__ == "__main__":
    main()
