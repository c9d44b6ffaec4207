"""Print what a stage of dvc.yaml makes or reads, but that its command would not make.

DVC is told of no stage of which something is not there.
"""

from __future__ import annotations

import yaml

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import STAGES, Stage, Stages


def main() -> None:
    """Of the workflow in this folder."""
    content, stages = yaml.safe_load(STAGES.read_text())["stages"], Stages.read()
    with whole_workflow() as view:
        outputs = {path for job in view.jobs for path in job.outputs}
        owned: dict[Stage, set[str]] = {}
        for path in outputs:
            if stage := stages.of(path):
                owned.setdefault(stage, set()).add(path)
        for stage, paths in owned.items():
            block = content[stage.name]
            block = block.get("do", block)
            made = _made(block["cmd"].split()[-1].replace("@", stage.study), view)
            read = (path.replace("${key}", stage.study) for path in block.get("deps", []))
            unread = [path for path in read if _holds(path, outputs) and not _holds(path, made)]
            if made <= paths:  # a list of nothing
                unread = []
            for path in sorted(paths - made) + unread:
                print(f"{stage.address}: {path}")


def _holds(path: str, files: set[str]) -> bool:
    return any(file == path or file.startswith(f"{path}/") for file in files)


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
