"""The whole graph of jobs, whatever was asked for: what is stale, and what each step reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import IOCache

from triage_workflow.engines.records import Records
from triage_workflow.engines.stages import Stage, Stages

from triage.files import write_text

if TYPE_CHECKING:
    from snakemake.dag import DAG
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow

STEPS = Path("steps.json")

# By stage and study; a stage that is not of one study has its digest by its own name.
Digests = dict[str, str | dict[str, str]]


def whole_graph(workflow: Workflow) -> DAG:
    """The graph of the default target as the files are now; its ``needrun_jobs`` are stale.

    Raises WorkflowError where a source is missing.
    """
    from snakemake.workflow import DAG

    workflow.iocache = IOCache(workflow.dag_settings.max_inventory_wait_time)
    workflow.persistence.forget_judgements()
    target = workflow.get_rule(workflow.default_target)
    dag = DAG(workflow, list(workflow.rules), targetfiles=set(), targetrules={target})
    dag.max_checksum_file_size = workflow.persistence.dag.max_checksum_file_size
    # Files of a killed job are no reason to stop here.
    dag.ignore_incomplete = True
    workflow.async_run(dag.init())
    return dag


def digests(dag: DAG, records: Records) -> Digests:
    """What every stage of ``dvc.yaml`` reads, as one digest for each of its studies.

    Equal as long as Snakemake would not call a job of the stage stale because of its settings,
    its code, or the names of its files.
    """
    parts: dict[Stage, list[str]] = {}
    stages = Stages.read()
    for job in dag.jobs:
        for stage in {stages.of(str(path)) for path in job.output}:
            if stage is not None:
                counted = [job, *_from_elsewhere(job, stage, dag, stages)]
                parts.setdefault(stage, []).extend(_identity(each, records) for each in counted)
    found: Digests = {}
    for stage in sorted(parts, key=lambda each: each.address):
        digest = hashlib.sha256("\n".join(sorted(parts[stage])).encode()).hexdigest()[:16]
        if stage.study:
            of_studies = found.setdefault(stage.name, {})
            assert isinstance(of_studies, dict)
            of_studies[stage.study] = digest
        else:
            found[stage.name] = digest
    return found


def _from_elsewhere(job: Job, stage: Stage, dag: DAG, stages: Stages) -> set[Job]:
    """The jobs before ``job`` that belong to no study or to another one, such as of weights.

    In ``dvc.yaml`` a stage of a study can't name what only some studies use.
    """
    found: set[Job] = set()
    waiting = [job] if stage.study else []
    while waiting:
        for before in dag.dependencies[waiting.pop()]:
            made = stages.of(min(map(str, before.output)))
            if made is not None and made.study != stage.study and before not in found:
                found.add(before)
                waiting.append(before)
    return found


def changed_stages(found: Digests) -> set[str]:
    """The stages, as DVC calls them, of which ``steps.json`` says something else."""
    try:
        known = json.loads(STEPS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    old, new = _by_address(known), _by_address(found)
    return {address for address in old.keys() | new.keys() if old.get(address) != new.get(address)}


def _by_address(found: Digests) -> dict[str, str]:
    return {
        Stage(name, study).address: digest
        for name, value in found.items()
        for study, digest in (value if isinstance(value, dict) else {"": value}).items()
    }


def write_digests(found: Digests) -> None:
    """Write ``steps.json``, by which DVC knows that settings or code of a stage changed."""
    text = json.dumps(found, indent=1) + "\n"
    if not STEPS.exists() or STEPS.read_text(encoding="utf-8") != text:
        write_text(text, STEPS)


def files(jobs: Iterable[Job]) -> list[str]:
    """The outputs of ``jobs``, sorted."""
    return sorted(str(path) for job in jobs for path in job.output)


def _identity(job: Job, records: Records) -> str:
    reads: list[Any] = [
        sorted(map(str, job.output)),
        records.command(job),
        records.parameters(job),
        sorted(map(str, job.input)),
    ]
    return json.dumps(reads)
