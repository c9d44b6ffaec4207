"""Name the stages that make a study with all that it needs, also of other studies, for DVC.

``dvc pull $(python workflow/stages.py STUDY)`` brings what the study's targets are made from.
"""

from __future__ import annotations

from typing import Annotated

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.snakemake_adapter import whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command
from triage.errors import UserError


def main(studies: Annotated[tuple[str, ...], "names of studies"], /) -> None:
    """Print a stage a line, each after those before it."""
    with whole_workflow() as view:
        jobs = view.jobs
    for study in studies:
        if not any(job.study == study for job in jobs):
            known = ", ".join(sorted({job.study for job in jobs if job.study}))
            raise UserError("is no study", where=study, remedy=f"one of {known}")
    needed: set[Job] = set()
    waiting = [job for job in jobs if job.study in studies]
    while waiting:
        job = waiting.pop()
        if job not in needed:
            needed.add(job)
            waiting += job.before
    stages = Stages.read()
    made = [stages.of(path) for job in jobs if job in needed for path in job.outputs]
    print(*dict.fromkeys(stage.address for stage in made if stage), sep="\n")


if __name__ == "__main__":
    command.run(main)
