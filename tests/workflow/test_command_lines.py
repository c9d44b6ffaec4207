"""Every rule calls its script with what the script takes."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from functools import cache
from typing import Any

import pytest
import yaml

from triage.arguments import parser
from workflow_copy import ROOT, Workflow

# What is made only when it is asked for.
ASKED_FOR = ["export", "memorise"]
CALL = re.compile(r"python (scripts/\w+\.py) (.*?)(?= && |$)")


@cache
def main_of(script: str):
    return runpy.run_path(str(ROOT / script))["main"]


def with_a_set(content: dict[str, Any]) -> None:
    """With an external set; its files are never read here."""
    content["studies"]["melanoma"]["external"] = {"elsewhere": {"raw": "data/mhist/phantom"}}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """One command line of each rule and script."""
    workflow = Workflow(tmp_path_factory.mktemp("calls"), with_a_set)
    studies = yaml.safe_load((workflow.folder / "params.yaml").read_text())["studies"]
    targets = [f"{study}_{target}" for study in studies for target in ASKED_FOR]
    slices = "data/braintriage/slices/labels_slices.csv"
    printed = workflow.run("snakemake", "-n", "-p", "all", *targets, slices)
    found: dict[tuple[str, str], str] = {}
    rule = ""
    for line in printed.splitlines():
        if named := re.match(r"(?:local)?rule (\S+):", line):
            rule = named[1]
        for script, rest in CALL.findall(line):
            found[rule, script] = rest
    return found


def test_all_scripts_that_are_steps_are_called(calls: dict[tuple[str, str], str]) -> None:
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").glob("*.py")}
    missing = scripts - {script for _, script in calls}
    assert missing == {"scripts/predict.py", "scripts/check_submission.py"}


def test_scripts_take_what_rules_give(calls: dict[tuple[str, str], str]) -> None:
    refused = {}
    for (rule, script), rest in calls.items():
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
            parser(main_of(script)).parse_args(shlex.split(rest))
        if said.getvalue():
            refused[rule] = said.getvalue().splitlines()[-1]
    assert refused == {}
