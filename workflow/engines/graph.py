"""The whole graph of jobs, whatever was asked for: what is stale, and what each step reads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from snakemake.io import IOCache

from engines.records import Records
from triage.errors import UserError
from triage.files import write_text

if TYPE_CHECKING:
    from snakemake.dag import DAG
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow

STEPS = Path("steps.json")
STAGES = Path("dvc.yaml")

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
    parts: dict[tuple[str, str], list[str]] = {}
    stages = _stages()
    for job in dag.jobs:
        for place in {_place(str(path), stages) for path in job.output} - {None}:
            assert place is not None
            parts.setdefault(place, []).append(_identity(job, records))
    found: Digests = {}
    for (stage, study), identities in sorted(parts.items()):
        digest = hashlib.sha256("\n".join(sorted(identities)).encode()).hexdigest()[:16]
        if study:
            of_studies = found.setdefault(stage, {})
            assert isinstance(of_studies, dict)
            of_studies[study] = digest
        else:
            found[stage] = digest
    return found


def write_digests(found: Digests) -> None:
    """Write ``steps.json``, by which DVC knows that settings or code of a stage changed."""
    text = json.dumps(found, indent=1) + "\n"
    if not STEPS.exists() or STEPS.read_text(encoding="utf-8") != text:
        write_text(text, STEPS)


def files(jobs: Iterable[Job]) -> list[str]:
    """The outputs of ``jobs``, sorted."""
    return sorted(str(path) for job in jobs for path in job.output)


def _stages() -> list[tuple[str, re.Pattern[str]]]:
    """The stages of ``dvc.yaml``, each with a pattern of the paths that it makes."""
    try:
        content = yaml.load(STAGES.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"can't be read ({error})", where=STAGES) from error
    found = []
    for name, block in content["stages"].items():
        outs = (block["do"] if "foreach" in block else block).get("outs", [])
        paths = [re.escape(next(iter(out)) if isinstance(out, dict) else out) for out in outs]
        texts = [path.replace(re.escape("${key}"), "(?P<key>[^/]+)", 1) for path in paths]
        found += [(name, re.compile(f"{text}(/.*)?")) for text in texts]
    return found


def _place(path: str, stages: list[tuple[str, re.Pattern[str]]]) -> tuple[str, str] | None:
    """The stage and study that make a path."""
    for name, pattern in stages:
        if match := pattern.fullmatch(path):
            return name, match.groupdict().get("key", "")
    return None


def _identity(job: Job, records: Records) -> str:
    reads: list[Any] = [
        sorted(map(str, job.output)),
        records.command(job),
        records.parameters(job),
        sorted(map(str, job.input)),
    ]
    return json.dumps(reads)
