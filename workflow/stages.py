"""Name the steps on one screen, or for DVC the stages that a study is made by.

``dvc pull $(python workflow/stages.py STUDY)`` brings a study with all that it is made from, such
as weights and raw data that it shares with others. Without a study, each step is named with those
that it follows directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.snakemake_adapter import whole_workflow
from triage_workflow.engines.stages import Stage, Stages

from triage import command
from triage.errors import UserError


def main(studies: Annotated[tuple[str, ...], "names of studies"] = (), /) -> None:
    """Print a stage or a step a line, each after those before it."""
    with whole_workflow() as view:
        jobs = view.jobs
    for study in studies:
        if not any(job.study == study for job in jobs):
            known = ", ".join(sorted({job.study for job in jobs if job.study}))
            raise UserError("is no study", where=study, remedy=f"one of {known}")
    stages = Stages.read()
    print(*(_of_studies(jobs, stages, studies) if studies else _steps(jobs, stages)), sep="\n")


def _made_by(job: Job, stages: Stages) -> list[Stage]:
    return [stage for path in job.outputs if (stage := stages.of(path))]


def _of_studies(jobs: Sequence[Job], stages: Stages, studies: Iterable[str]) -> Iterable[str]:
    """The stages of the studies' jobs, and of the jobs that these need."""
    needed: set[Job] = set()
    waiting = [job for job in jobs if job.study in studies]
    while waiting:
        job = waiting.pop()
        if job not in needed:
            needed.add(job)
            waiting += job.before
    made = (stage for job in jobs if job in needed for stage in _made_by(job, stages))
    return dict.fromkeys(stage.address for stage in made)


def _steps(jobs: Iterable[Job], stages: Stages) -> Iterator[str]:
    """Each step with those before it, but for those that another one of these follows."""
    before: dict[str, set[str]] = {}
    for job in jobs:
        for stage in _made_by(job, stages):
            names = {each.name for earlier in job.before for each in _made_by(earlier, stages)}
            before.setdefault(stage.name, set()).update(names - {stage.name})
    width = max(map(len, before), default=0)
    beyond: dict[str, set[str]] = {}
    while waiting := [name for name in before if name not in beyond]:
        # A step of external sets begins before, and ends after, others that it follows.
        name = next(each for each in waiting if before[each] <= beyond.keys())
        direct = before[name]
        further = set().union(*(beyond[each] for each in direct))
        beyond[name] = direct | further
        after = ", ".join(each for each in before if each in direct - further)
        yield f"{name:{width}}  after {after}" if after else name


if __name__ == "__main__":
    command.run(main)
