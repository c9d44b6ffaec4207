"""What a run has cores for decides nothing about its results."""

from __future__ import annotations

from pathlib import Path

from workflow_copy import Workflow, only


def test_commands_are_the_same_whatever_the_cores(tmp_path: Path) -> None:
    workflow = Workflow(tmp_path / "workflow", only("braintriage"))
    commands = [
        {
            line.strip()
            for line in workflow.run("snakemake", "-n", "-p", "--cores", cores).splitlines()
            if line.strip().startswith("python scripts/")
        }
        for cores in ("1", "2")
    ]
    assert commands[0] == commands[1]
    assert any(
        "scripts/train.py" in command and "--threads 2" in command for command in commands[0]
    )
