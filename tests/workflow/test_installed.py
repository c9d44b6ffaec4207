"""The project is installed, and each copy of it uses its own code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from workflow_copy import ROOT, Workflow, only


def test_the_packages_are_there_wherever_python_starts(tmp_path: Path) -> None:
    code = "import triage_workflow.params, triage.files"
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)


def test_a_copy_in_the_environment_of_another_checkout_uses_its_own_library(tmp_path: Path) -> None:
    copy = Workflow(tmp_path, only("pneumonia"))
    with (tmp_path / "scripts/triage/errors.py").open("a") as stream:
        stream.write('\nprint("the library of the copy")\n')
    for command in (["snakemake", "-n"], ["python", "workflow/orphans.py"]):
        assert "the library of the copy" in copy.run(*command)


def test_a_python_without_the_project_is_told_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "workflow/why.py")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {sys.executable}: the project is not installed")
    assert "make setup" in done.stderr
    assert len(done.stderr.splitlines()) == 1
