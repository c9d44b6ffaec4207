"""Print the files that a stage of dvc.yaml has to make, but its command would not."""

from __future__ import annotations

import yaml

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import STAGES, Stage, Stages


def main() -> None:
    """Of the workflow in this folder."""
    content, stages = yaml.safe_load(STAGES.read_text())["stages"], Stages.read()
    with whole_workflow() as view:
        owned: dict[Stage, set[str]] = {}
        for path in (path for job in view.jobs for path in job.outputs):
            if stage := stages.of(path):
                owned.setdefault(stage, set()).add(path)
        for stage, paths in owned.items():
            block = content[stage.name]
            target = block.get("do", block)["cmd"].split()[-1].replace("@", stage.study)
            print(*sorted(paths - _made(target, view)), sep="\n", end="")


def _made(target: str, view: View) -> set[str]:
    """What a run with this target makes."""
    workflow = view.dag.workflow
    rule = workflow.get_rule(target) if workflow.is_rule(target) else None
    waiting = [
        job
        for job in view.jobs
        if {target, *map(str, rule.input if rule else [])}.intersection(job.outputs)
    ]
    found: set[Job] = set()
    while waiting:
        job = waiting.pop()
        if job not in found:
            found.add(job)
            waiting += job.before
    return {path for job in found for path in job.outputs}


if __name__ == "__main__":
    main()
