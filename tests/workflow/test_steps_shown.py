"""The steps on one screen."""

from __future__ import annotations

import runpy
from pathlib import Path

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.stages import Stages

ROOT = Path(__file__).parents[2]


def job(path: str, *before: Job) -> Job:
    return Job("rule", "a", "", (), "", (), frozenset(), (path,), False, before)


def test_a_step_that_begins_before_others_that_it_follows() -> None:
    index = job("data/a/cases/cases.csv")
    index_external = job("data/a/external/b/cases/cases.csv")  # a job of the step `external`
    groups = job("data/a/groups.csv", index)
    external = job("data/a/external/b/groups.csv", index_external, groups)
    steps = runpy.run_path(str(ROOT / "workflow/stages.py"))["_steps"]
    jobs = [index, index_external, groups, external]
    assert list(steps(jobs, Stages.read(ROOT / "dvc.yaml"))) == [
        "index",
        "groups    after index",
        "external  after groups",
    ]
