"""What a change of each key of params.yaml makes each engine do: a graph, built once, judged anew.

A program that runs in a copy of the repository and prints JSON: for each key, the stages that
Snakemake and those that DVC would run, and whether nobody read it. Nothing is made.

Snakemake's answer comes from what it compares: the parameters, code, inputs and outputs of every
job. Where a key changes which jobs there are, the graph is built again, by forks side by side, for
one key of each kind.
DVC's answer comes from what dvc.yaml declares, and from steps.json as it would be written.
"""

from __future__ import annotations

import copy
import inspect
import json
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from dvc.repo import Repo

from triage_workflow import params as params_package
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import Stages
from triage_workflow.params import Params
from triage_workflow.params.arms import merge
from triage_workflow.params.declared import Defaults, defaults
from triage_workflow.steps import Steps

from triage.models import FLOORS
from triage.training.settings import Recipe

# Keys that say which jobs there are.
STRUCTURE = {"raw", "folds", "seeds", "shards", "mode", "arm", "pretrained", "frozen", "search"}
STRUCTURE |= {"from", "extends", "ensembles"}
STRUCTURE |= {"random_forest", "logistic_regression"}  # arms that another rule makes
STRUCTURE |= {"chain", "exclude_votes", "votes", "method", "task", "reader"}  # which pictures

NAMED = {"phantoms", "pretrained", "studies", "arms", "ensembles"}  # blocks by names of their own


def leaves(block: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All keys that have a value rather than a block."""
    for key, value in block.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def changed(content: Any, path: tuple[str, ...]) -> Any:
    """A copy of all settings in which one key has another value."""
    content = copy.deepcopy(content)
    block = content
    for key in path[:-1]:
        block = block[key]
    key, value = path[-1], block[path[-1]]
    names = others_to_name(content, path, value)
    block[key] = next(name for name in names if name != value) if names else other(key, value)
    return content


def others_to_name(content: Any, path: tuple[str, ...], value: Any) -> list[Any]:
    """What a key may name instead that names another block; nothing for other keys."""
    key = path[-1]
    if key == "pretrained":
        return ["none", *content["pretrained"]]
    if path[0] != "studies" or not {key, *path[2:3]} & {"arm", "from", "extends", "ensembles"}:
        return []
    training = content["studies"][path[1]]["training"]
    if key == "from":
        blocks = [training, training["sequence"]]
        arms = next(block["arms"] for block in blocks if value in block["arms"])
        return [name for name in arms if name not in FLOORS]
    if key == "extends":
        names = [name for name, arm in training["arms"].items() if "extends" not in arm]
        return [name for name in names if name not in FLOORS]
    if path[2] == "ensembles":
        return [[name, *value[1:]] for name in training["arms"] if name not in value]
    return ["best", *training["arms"]]


def other(key: str, value: Any) -> Any:
    """Another value of the same kind, so that the settings can still be resolved."""
    choices = {
        "architecture": ["resnet18", "resnet34", "vgg16"],
        "reader": ["volumes", "folders"],
        "mode": ["each", "grid"] if value in ("each", "grid") else ["volume", "grey"],
        "frozen": [True, False],
        "shards": [2, 3],
        "source": ["imagenet", "pretext"],
        # Exchanged: one more adds a file to data/<study>/split, a folder to DVC, so that it names
        # explore as well, where Snakemake then finds nothing to do.
        "folds": [[0], [1]],
    }
    if key in choices:
        return next(each for each in choices[key] if each != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value}_other"
    if isinstance(value, list):
        return [*value, other("", value[-1])] if value else [1]
    return 1 if value is None else {"other": 1}


def resolved(content: Any) -> Params:
    """Settings without the checks, which a changed value need not pass."""
    found = Params.__new__(Params)
    whole = params_package.whole(params_package._plain(content))
    found.content, found.source = whole, "params.yaml"
    return found


# Of each job, by its first output: what Snakemake compares of it, the jobs it needs, its stage.
Picture = dict[str, dict[str, Any]]


def picture(view: View) -> Picture:
    """The whole graph under the settings in force."""
    stages = Stages.read()
    found: Picture = {}
    for job in view.dag.jobs:
        if not job.output:
            continue
        made = {stages.of(str(path)) for path in job.output}
        assert len(made) == 1, f"{job.rule} makes files of several stages"
        stage = made.pop()
        assert stage is not None, f"{min(job.output)} is in no stage of dvc.yaml"
        found[min(job.output)] = {
            "rule": job.rule.name,
            "stage": stage.address,
            "needs": sorted(min(each.output) for each in view.dag.dependencies[job]),
            "reads": reads(job),
        }
    return found


def reads(job: Any) -> str:
    """What Snakemake compares of a job, as it is now.

    The rules' own functions are called: Snakemake would wrap each value, which takes most of the
    time. The files that jobs need are those of the graph.
    """
    declared = [*job.rule.input, *job.rule.params]
    values = [each(job.wildcards) if callable(each) else each for each in declared if _counts(each)]
    return json.dumps([job.rule.shellcmd, sorted(job.output), values], default=str)


def _counts(declared: Any) -> bool:
    """Whether Snakemake compares it: not what is made from other files."""
    return not callable(declared) or len(inspect.signature(declared).parameters) == 1


def reread(view: View, content: Any) -> dict[str, str]:
    """What Snakemake would compare under other settings that leave the jobs as they are."""
    settings = resolved(content)
    names = {"PARAMS": settings, "STEPS": Steps(settings)}
    with patch.dict(view.dag.workflow.globals, names):
        return {min(job.output): reads(job) for job in view.dag.jobs if job.output}


def rebuilt(content: Any) -> str:
    """The graph under other settings, as JSON."""
    settings = patch.object(Params, "read", lambda _: resolved(content))
    with settings, whole_workflow() as view:
        return json.dumps(picture(view))


def one_of_each_kind(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Of keys that differ only in the names of studies, arms and the like, the first."""
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path in paths:
        named = zip(("", *path), path, strict=False)
        kinds.setdefault(tuple("*" if before in NAMED else key for before, key in named), path)
    return list(kinds.values())


def declared() -> dict[str, Any]:
    """What dvc.yaml says: the keys of params.yaml of each stage, and the stages before it."""
    with Repo() as repo:
        stages = [stage for stage in repo.index.stages if stage.name != "steps"]
        keys = {
            stage.addressing: sorted(
                key
                for dep in stage.deps
                if getattr(dep, "params", None) is not None and dep.def_path == "params.yaml"
                for key in dep.params
            )
            for stage in stages
        }
        before = {
            stage.addressing: sorted(
                each.addressing for each in repo.index.graph.successors(stage) if each in stages
            )
            for stage in stages
        }
    return {"keys": keys, "before": before}


def main(every_kind: bool) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    # What is declared counts as if it were written.
    content["recipe"] = merge(defaults(Recipe), content["recipe"])
    content["defaults"] = merge(defaults(Defaults), content["defaults"])
    for study in content["studies"].values():
        if "sequence" in study["training"]:
            study["training"]["sequence"].setdefault("augmented_copies", 0)
    for study in content["studies"]:  # a source that must be there once `raw` is no phantom
        Path(f"data/{study}").mkdir(parents=True, exist_ok=True)
        Path(f"data/{study}/inventory.csv").touch()
    # No arm is one of all studies.
    unnameable = {("defaults", "submission", "arm"), ("defaults", "ensembles")}
    paths = [path for path, _ in leaves(content) if path not in unnameable]
    structure = [path for path in paths if STRUCTURE.intersection(path)]
    anew = one_of_each_kind(paths if every_kind else structure)
    with whole_workflow() as view:
        base = picture(view)
        with multiprocessing.get_context("fork").Pool() as pool:
            graphs = pool.map_async(rebuilt, [changed(content, path) for path in anew], 1)
            read = {
                ".".join(path): reread(view, changed(content, path))
                for path in paths
                if not every_kind and path not in structure
            }
            whole = map(json.loads, graphs.get())
    pictures = {".".join(path): graph for path, graph in zip(anew, whole, strict=True)}
    answer = {"base": base, "rebuilt": pictures, "reread": read, "declared": declared()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main("--anew" in sys.argv)
