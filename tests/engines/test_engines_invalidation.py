"""Every key of params.yaml: a change makes both engines name the steps that read it, no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import engines_invalidation
from engines_invalidation import STRUCTURE
from engines_support import Server
from workflow_copy import Workflow

PROGRAM = engines_invalidation.__file__


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it is committed, where nothing was ever made."""
    return Workflow(tmp_path_factory.mktemp("keys") / "copy", with_others_to_name).folder


def with_others_to_name(content: dict[str, Any]) -> None:
    """One more arm where others start from or extend the only one, so that there is a choice."""
    for study in ("braintriage", "xray_findings"):
        training = content["studies"][study]["training"]
        for arms in (training["arms"], training.get("sequence", {}).get("arms", {})):
            if arms:
                arms[f"other_{next(iter(arms))}"] = {"epochs": 1} | next(iter(arms.values()))


@pytest.fixture(scope="module")
def answer(copied: Path, own_server: Server) -> dict[str, Any]:
    return ask(copied, own_server)


def ask(folder: Path, server: Server, *arguments: str) -> dict[str, Any]:
    paths = f"{folder / 'workflow'}:{folder / 'scripts'}"
    done = server.run(PROGRAM, arguments, folder, PYTHONPATH=paths)
    assert done.code == 0, done.output
    return dict(json.loads(done.output.splitlines()[-1]))


def changed_graphs(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """For each key, the graph of jobs once it is changed."""
    base = answer["base"]
    reread = {
        key: {name: job | {"reads": reads[name]} for name, job in base.items()}
        for key, reads in answer["reread"].items()
    }
    return answer["rebuilt"] | reread


def readers(base: Mapping[str, Any], graph: Mapping[str, Any]) -> set[str]:
    """The jobs that compare something else than before, and those that are new."""
    return {name for name, job in graph.items() if job["reads"] != base.get(name, {}).get("reads")}


def with_descendants(names: Iterable[str], before: Mapping[str, Iterable[str]]) -> set[str]:
    found, waiting = set(names), list(names)
    after: dict[str, set[str]] = {}
    for name, needs in before.items():
        for need in needs:
            after.setdefault(need, set()).add(name)
    while waiting:
        for name in after.get(waiting.pop(), set()) - found:
            found.add(name)
            waiting.append(name)
    return found


def by_snakemake(base: Mapping[str, Any], graph: Mapping[str, Any]) -> set[str]:
    """The stages of which Snakemake would run a job."""
    needs = {name: job["needs"] for name, job in graph.items()}
    return {graph[name]["stage"] for name in with_descendants(readers(base, graph), needs)}


def by_dvc(
    key: str, base: Mapping[str, Any], graph: Mapping[str, Any], declared: Mapping[str, Any]
) -> set[str]:
    """The stages that DVC would run: by the keys they declare, and by their digests."""
    named = {
        stage
        for stage, keys in declared["keys"].items()
        if any(f"{key}.".startswith(f"{each}.") for each in keys)
    }
    old, new = digests(base), digests(graph)
    changed = {stage for stage in new if old.get(stage) != new[stage]}
    return with_descendants(named | changed, declared["before"])


def digests(graph: Mapping[str, Any]) -> dict[str, set[tuple[str, str]]]:
    """What steps.json stands for: of each stage, what its jobs compare.

    The jobs before them count as well, where they are of another study or of none.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for name, job in graph.items():
        counted = {name, *_from_elsewhere(name, graph)}
        found.setdefault(job["stage"], set()).update(
            (each, graph[each]["reads"]) for each in counted
        )
    return found


def _from_elsewhere(name: str, graph: Mapping[str, Any]) -> set[str]:
    study = graph[name]["stage"].partition("@")[2]
    found: set[str] = set()
    waiting = [name] if study else []
    while waiting:
        for need in graph[waiting.pop()]["needs"]:
            if graph[need]["stage"].partition("@")[2] != study and need not in found:
                found.add(need)
                waiting.append(need)
    return found


def test_both_engines_name_the_same_steps_for_every_key(answer: dict[str, Any]) -> None:
    base = answer["base"]
    wrong = {}
    for key, graph in changed_graphs(answer).items():
        ours, theirs = by_snakemake(base, graph), by_dvc(key, base, graph, answer["declared"])
        # DVC also calls up the stage of external sets, in which nothing is to do without sets.
        theirs -= {stage for stage in theirs if stage.startswith("external@")} - ours
        if ours != theirs:
            wrong[key] = {"only Snakemake": ours - theirs, "only DVC": theirs - ours}
    assert not wrong, "\n".join(f"{key}: {each}" for key, each in wrong.items())


def test_every_key_is_read(answer: dict[str, Any]) -> None:
    base = answer["base"]
    unread = {
        key
        for key, graph in changed_graphs(answer).items()
        # Any default may be overridden by all studies and arms there are.
        if not readers(base, graph) and not key.startswith(("recipe.", "defaults."))
    }
    assert unread == set()


INDEX = {"index", "manifest"}
TRAINING = {"train", "fit", "train_sequence", "finetune"}
EVALUATION = {"evaluate", "table", "card", "figures", "report"}

# What reads a key, by the blocks of params.yaml. Rules of pictures differ between studies.
READ_BY = {
    "phantoms.*": {"phantom"},
    "defaults.index": INDEX,
    "defaults.index.channels": INDEX | {"images", "groups"} | TRAINING,
    "defaults.index.min_slices": INDEX | {"images"},
    "defaults.images.size": {"images", "groups"} | TRAINING,
    "defaults.split": {"groups", "split", "card"},
    "defaults.evaluation": EVALUATION,
    "defaults.submission": {"submission"},
    "pretrained.*": {"pretrained"},
    "pretrained.*.source": {"pretrained", "table"},
    "studies.*.index": INDEX,
    "studies.*.index.min_slices": INDEX | {"images"},
    "studies.*.index.reader": INDEX | {"images", "groups"} | TRAINING,
    "studies.*.images.size": {"images", "groups"} | TRAINING,
    "studies.*.split": {"groups", "split", "card"},
    "studies.*.training.recipe": TRAINING,
    "studies.*.training.arms": TRAINING,
    "studies.*.training.sequence.augmented_copies": {"features"},
    "studies.*.training.sequence": {"train_sequence"},
    "studies.*.training.finetuning": {"finetune"},
    "studies.*.evaluation": EVALUATION,
    "studies.*.submission": {"submission"},
    "recipe": TRAINING,
    "recipe.predict": {"predict", "evaluate"},
}


def test_keys_are_read_by_the_steps_they_are_meant_for(answer: dict[str, Any]) -> None:
    base, wrong = answer["base"], {}
    for key, graph in changed_graphs(answer).items():
        if STRUCTURE.intersection(key.split(".")):
            continue  # where there are other jobs, whatever reads their files is new
        parts = key.split(".")
        if parts[0] in ("phantoms", "studies", "pretrained"):
            parts[1] = "*"
        blocks = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
        meant = next((READ_BY[block] for block in blocks if block in READ_BY), None)
        rules = {graph[name]["rule"] for name in readers(base, graph)}
        if key.endswith(".architecture"):
            # which read its code, or whether it is a network
            rules -= {"predict", "explain", "table"}
        rules = {re.sub(r"^(index|figures)[-_].*", r"\1", rule) for rule in rules}
        if key.endswith(".select.by"):
            rules -= {"figures"}  # which mark the epoch that is kept
        if meant is not None and not rules <= meant:
            wrong[key] = rules - meant
    assert not wrong, "\n".join(f"{key}: {each}" for key, each in wrong.items())


def test_every_file_belongs_to_a_stage_of_dvc(answer: dict[str, Any]) -> None:
    made = {job["stage"] for job in answer["base"].values()}
    assert made == set(answer["declared"]["keys"])


@pytest.mark.slow
def test_graphs_that_were_read_anew_are_right(
    copied: Path, own_server: Server, answer: dict[str, Any]
) -> None:
    """The short cuts of the tests above against whole graphs, for a key of each kind."""
    graphs = changed_graphs(answer)
    whole = ask(copied, own_server, "--anew")["rebuilt"]
    assert len(whole) > 100
    for key, graph in whole.items():
        assert graph == graphs[key], key
