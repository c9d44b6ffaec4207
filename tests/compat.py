"""Run the engines' tests with other versions of Snakemake and DVC, installed side by side.

`compat.py oldest newest` takes both ends of the ranges that the workflow allows; each gets an
environment of its own below `.compat/`, which borrows all other packages from this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from packaging.specifiers import SpecifierSet

from triage_workflow.engines import dvc_adapter, snakemake_adapter

FOLDER = Path(".compat")
RANGES = {"snakemake": snakemake_adapter.VERSIONS, "dvc": dvc_adapter.VERSIONS}
TESTS = ["matrix", "commands", "running", "versions"]


def wanted(which: str) -> list[str]:
    """What to install: the oldest version of each range, or the newest that there is."""
    if which == "newest":
        return [f"{package}{versions}" for package, versions in RANGES.items()]
    return [f"{package}=={oldest(versions)}" for package, versions in RANGES.items()]


def oldest(versions: str) -> str:
    return next(each.version for each in SpecifierSet(versions) if each.operator == ">=")


def environment(which: str) -> Path:
    """The Python of an environment with these versions; it is made if it isn't there."""
    folder = FOLDER / which
    python = folder / "bin" / "python"
    venv.create(folder, with_pip=True, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in borrowed]
    (site / "borrowed.pth").write_text("\n".join(lines) + "\n")
    install = [python, "-m", "pip", "install", "--quiet", *wanted(which)]
    # First their programs too, even where the same version is borrowed; then what they need.
    subprocess.run([*install, "--no-deps", "--ignore-installed"], check=True)
    subprocess.run(install, check=True)
    return python


def main() -> None:
    """Install and test each of the versions named on the command line."""
    for which in sys.argv[1:] or ["oldest", "newest"]:
        python = environment(which)
        for package in RANGES:
            code = f"import importlib.metadata as m; print({package!r}, m.version({package!r}))"
            subprocess.run([python, "-c", code], check=True)
        files = [f"tests/engines/test_engines_{name}.py" for name in TESTS]
        # As whoever runs this, root too: the tests beside these run as another user.
        variables = os.environ | {"ENGINES_AS_ROOT": "1"}
        done = subprocess.run([python, "-m", "pytest", "-q", *files], env=variables, check=False)
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
