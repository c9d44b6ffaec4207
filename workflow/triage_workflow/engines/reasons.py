"""Why a file is stale, in the words of each engine."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from snakemake.jobs import Job

from triage_workflow.engines.look import View

from triage.errors import UserError

# What `dvc status` says of a stage: kinds of change, and what is changed in what way.
Status = dict[str, list[dict[str, Any] | str]]


def of_snakemake(job: Job, view: View) -> list[str]:
    """Why Snakemake would run a job, for reasons of its own; empty where it only follows."""
    records, reason = view.records, view.dag.reason(job)
    troubles = records.trouble(job).items()
    texts = list(dict.fromkeys(_short(path, what) for path, what in troubles))
    origin = records.origin(job)
    if origin is None:
        return texts or (["it is not there"] if reason.missing_output else [])
    if origin.shell != (records.command(job) or ""):
        texts.append("the command of its rule changed")
    texts += _changed_parameters(origin.params, records.parameters(job), job)
    inputs = set(map(str, job.input))
    texts += [f"{path} is a new input" for path in sorted(inputs - set(origin.inputs))]
    texts += [f"{path} is no input any more" for path in sorted(set(origin.inputs) - inputs)]
    outputs = set(map(str, job.output))
    if outputs != set(origin.outputs):
        texts.append("its rule makes other files")
    return texts


def follows(job: Job, view: View) -> list[Job]:
    """The stale jobs that make a job stale: those before it that have reasons of their own."""
    roots: dict[Job, None] = {}
    seen, waiting = {job}, [job]
    while waiting:
        for before in view.dag.dependencies[waiting.pop()]:
            if before in seen or not view.dag.needrun(before):
                continue
            seen.add(before)
            if of_snakemake(before, view):
                roots[before] = None
            else:
                waiting.append(before)
    return list(roots)


def start_dvc_status() -> subprocess.Popen[str]:
    """Ask DVC for its status, which takes a second or two, beside other work."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def dvc_status(asked: subprocess.Popen[str]) -> Status:
    """The answer. Raises UserError where DVC itself stops."""
    answer, complaint = asked.communicate()
    try:
        status: Status = json.loads(answer)
    except json.JSONDecodeError as error:
        lines = complaint.strip().splitlines() or ["it gave no reason"]
        raise UserError(f"can't tell its status: {lines[-1]}", where="DVC") from error
    return status


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


def _changed_parameters(old: Iterable[str], new: Iterable[str], job: Job) -> list[str]:
    only_old = [_value(each) for each in old if each not in set(new)]
    only_new = [_value(each) for each in new if each not in set(old)]
    before = [each for each in only_old if isinstance(each, dict)]
    after = [each for each in only_new if isinstance(each, dict)]
    texts: list[str] = []
    if len(before) == len(after) == 1:
        texts += _differences(before[0], after[0])
    elif before or after:
        texts.append("its settings changed")
    code = job.params.get("code")
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
