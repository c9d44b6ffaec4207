"""Why a file is stale, in the words of each engine."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from triage_workflow.engines.dvc_adapter import Status
from triage_workflow.engines.jobs import Job
from triage_workflow.engines.provenance import Provenance


def of_snakemake(job: Job, known: Provenance) -> list[str]:
    """Why Snakemake would run a job, for reasons of its own; empty where it only follows."""
    troubles = known.troubles(job.outputs).items()
    texts = list(dict.fromkeys(_short(path, what) for path, what in troubles))
    origin = known.origin(job.outputs)
    if origin is None:
        is_missing = not all(Path(path).exists() for path in job.outputs)
        return texts or (["it is not there"] if is_missing else [])
    if origin.shell != job.command:
        texts.append("the command of its rule changed")
    texts += _changed_parameters(origin.params, job.params, job.code)
    inputs, before = set(job.inputs), set(origin.inputs)
    texts += [f"{path} is a new input" for path in sorted(inputs - before)]
    texts += [f"{path} is no input any more" for path in sorted(before - inputs)]
    if set(job.outputs) != set(origin.outputs):
        texts.append("its rule makes other files")
    return texts


def follows(job: Job, known: Provenance) -> list[Job]:
    """The stale jobs that make a job stale: those before it that have reasons of their own."""
    roots: dict[Job, None] = {}
    seen, waiting = {job}, [job]
    while waiting:
        for before in waiting.pop().before:
            if before in seen or not before.is_stale:
                continue
            seen.add(before)
            if of_snakemake(before, known):
                roots[before] = None
            else:
                waiting.append(before)
    return list(roots)


def of_dvc(stage: str, status: Status) -> list[str]:
    """Why DVC would run a stage, for reasons of its own."""
    texts = []
    for change in status.get(stage, []):
        if isinstance(change, str):
            texts.append(change)
            continue
        for kind, things in change.items():
            texts += _changed_things(kind, things)
    return texts


def _changed_things(kind: str, things: Mapping[str, Any]) -> Iterator[str]:
    for path, what in things.items():
        if isinstance(what, Mapping):
            yield from (f"{path}: {key} {how}" for key, how in what.items())
        else:
            yield f"{path} {what}" + (" (its own file)" if kind == "changed outs" else "")


def _short(path: str, what: str) -> str:
    return what if "/" in what.split(" ")[0] else f"{path.rpartition('/')[2]}: {what}"


def _changed_parameters(old: Iterable[str], new: Iterable[str], code: str) -> list[str]:
    only_old = [_value(each) for each in old if each not in set(new)]
    only_new = [_value(each) for each in new if each not in set(old)]
    before = [each for each in only_old if isinstance(each, dict)]
    after = [each for each in only_new if isinstance(each, dict)]
    texts: list[str] = []
    if len(before) == len(after) == 1:
        texts += _differences(before[0], after[0])
    elif before or after:
        texts.append("its settings changed")
    for value in only_new:
        if value == code:
            texts.append("its code changed")
        elif not isinstance(value, dict):
            texts.append(f"{value} is a new parameter")
    if not texts and only_old:
        texts.append(f"{only_old[0]} is no parameter any more")
    return texts


def _value(recorded: str) -> Any:
    try:
        value = ast.literal_eval(recorded)
        return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
    except (ValueError, SyntaxError):
        return recorded


def _differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Each setting that differs, by its name: `optimizer.rate 0.1 -> 0.2`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            here = f"{where}.{key}" if where else key
            if key not in new:
                yield f"{here} {json.dumps(old[key])} -> nothing"
            elif key not in old:
                yield f"{here} nothing -> {json.dumps(new[key])}"
            else:
                yield from _differences(old[key], new[key], here)
    elif old != new:
        yield f"{where} {json.dumps(old)} -> {json.dumps(new)}"
