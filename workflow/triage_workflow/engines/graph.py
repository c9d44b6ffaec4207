"""What every stage of DVC reads, as digests in steps.json, from the whole graph of jobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from triage_workflow.engines.jobs import Job
from triage_workflow.engines.stages import Stage, Stages

from triage.files import parse_json, plain, write_text

STEPS = Path("steps.json")

# By stage and study; a stage that is not of one study has its digest by its own name.
Digests = dict[str, str | dict[str, str]]


def digests(jobs: Iterable[Job]) -> Digests:
    """What every stage of ``dvc.yaml`` reads, as one digest for each of its studies.

    Equal as long as Snakemake would not call a job of the stage stale because of its settings,
    its code, or the names of its files.
    """
    parts: dict[Stage, list[str]] = {}
    stages = Stages.read()
    for job in jobs:
        for stage in set(map(stages.of, job.outputs)):
            if stage is not None:
                counted = [job, *_from_elsewhere(job, stage, stages)]
                parts.setdefault(stage, []).extend(map(_identity, counted))
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


def _from_elsewhere(job: Job, stage: Stage, stages: Stages) -> set[Job]:
    """The jobs before ``job`` that belong to no study or to another one, such as of weights.

    In ``dvc.yaml`` a stage of a study can't name what only some studies use.
    """
    found: set[Job] = set()
    waiting = [job] if stage.study else []
    while waiting:
        for before in waiting.pop().before:
            made = stages.of(before.name)
            if made is not None and made.study != stage.study and before not in found:
                found.add(before)
                waiting.append(before)
    return found


def _identity(job: Job) -> str:
    reads: list[Any] = [sorted(job.outputs), job.command or None, job.params, sorted(job.inputs)]
    return json.dumps(reads)


def changed_stages(found: Digests) -> set[str]:
    """The stages, as DVC calls them, of which ``steps.json`` says something else."""
    try:
        known = parse_json(plain(STEPS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
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
