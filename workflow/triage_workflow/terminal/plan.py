"""A dry run on one screen: how many jobs of which step would run, and why."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from triage_workflow.engines import reasons
from triage_workflow.engines.jobs import Job, stale
from triage_workflow.engines.provenance import Provenance
from triage_workflow.engines.stages import Stages
from triage_workflow.terminal.words import step

_STUDIES = 3  # that are named; of more their number says enough
_ASKED = "it was asked for"


def plan(jobs: Iterable[Job], provenance: Provenance, width: int) -> Iterator[str]:
    """The lines: a step each, in the order in which they would begin; ``width`` in characters."""
    stages = Stages.read()
    steps: dict[str, list[Job]] = {}
    for job in stale(jobs):
        if job.outputs:
            steps.setdefault(_step(job, stages), []).append(job)
    rows = [
        (str(len(each)), name, _studies(each), _why(each, provenance, stages))
        for name, each in steps.items()
    ]
    total = sum(map(len, steps.values()))
    yield f"{total} job{'s' * (total != 1)} would run:"
    table = [("jobs", "step", "studies", "why"), *rows]
    first, second, third = (max(map(len, column)) for column in list(zip(*table, strict=True))[:3])
    for count, name, studies, why in table:
        line = f"{count:>{first}}  {name:{second}}  {studies:{third}}  "
        yield line + textwrap.shorten(why, max(width - len(line), 30), placeholder=" …")
    yield "Nothing was run. For each file: python workflow/why.py"


def _step(job: Job, stages: Stages) -> str:
    """The step as dvc.yaml and the targets of the workflow name it, else by its rule."""
    stage = stages.of(job.name)
    return stage.name if stage else step(job.rule)


def _studies(jobs: Sequence[Job]) -> str:
    names = sorted({job.study for job in jobs if job.study})
    return ", ".join(names) if len(names) <= _STUDIES else f"{len(names)} studies"


def _why(jobs: Sequence[Job], provenance: Provenance, stages: Stages) -> str:
    """The commonest reason of their own, or else which steps they follow from."""
    own = Counter(text for job in jobs for text in set(reasons.of_snakemake(job, provenance)))
    if own:
        (text, _), more = own.most_common(1)[0], len(own) - 1
        return text + f", and {more} other reason{'s' * (more != 1)}" * bool(more)
    roots = (_step(root, stages) for job in jobs for root in reasons.follows(job, provenance))
    names = list(dict.fromkeys(roots))
    return f"follows from {', '.join(names)}" if names else _ASKED
