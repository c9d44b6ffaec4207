"""params.yaml: validated once, with every arm and run resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from triage_workflow.params import checks
from triage_workflow.params.arms import Arm, location, merge, resolve_arms
from triage_workflow.params.declared import (
    Defaults,
    External,
    Index,
    SequenceStage,
    Settings,
    Told,
    defaults,
    within_recipe,
)
from triage_workflow.params.reading import read
from triage_workflow.params.validation import Json, check

from triage.errors import UserError
from triage.models import options_of
from triage.models.pretrained import KINDS
from triage.runs import ALL, Place, place, run_name
from triage.training.settings import Recipe

# YAML 1.1 takes 1e-4 for text; people write it all the same.
EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")

# Between a study and an external set of its own, which the steps of data take for a study.
EXTERNAL = "/external/"

# Where generated raw data lies; studies may share it.
PHANTOM = re.compile(r"data/(?P<name>[^/]+)/phantom")


@dataclass(frozen=True)
class Run:
    """One training: an arm of a study, on one fold, from one seed; an ensemble may be over all."""

    study: str
    stage: str
    arm: str
    fold: Place
    seed: Place

    @property
    def name(self) -> str:
        return run_name(self.fold, self.seed)

    def result(self, kind: str, suffix: str) -> str:
        """The path of a result of this run; ``kind`` is the folder that holds it."""
        return f"results/{self.study}/{kind}/{self.arm}/{self.name}{suffix}"

    @property
    def checkpoint(self) -> str:
        return self.result("training", "/checkpoint.pt")


class Params:
    """The settings of all enabled studies, valid and resolved."""

    def __init__(self, content: Json, source: str = "params.yaml") -> None:
        content = _plain(content)
        _refuse_common(content, source)
        check(content, Settings, source, partial=bool)
        self.content = whole(content)
        self.source = source
        check(self.content, Settings, source, partial=within_recipe)
        for name, block in self.content["pretrained"].items():
            where = f"{source}: pretrained.{name}"
            check(block.get("options", {}), options_of(block["architecture"]), f"{where}.options")
            checks.check_weights(block, where)
        for study in self.studies:
            self._check_study(study)
        self._check_used()

    @classmethod
    def read(cls, path: Path) -> Params:
        """The settings in a file. Raises UserError naming key, value and what is allowed."""
        return cls(read(path), str(path))

    @property
    def studies(self) -> list[str]:
        return list(self.content["studies"])

    @property
    def phantoms(self) -> list[str]:
        return list(self.content["phantoms"])

    def study(self, study: str) -> Json:
        """The settings of a study; of an external set, those of its study with its own data."""
        block: Json = self.content["studies"][self.owner(study)]
        name = study.partition(EXTERNAL)[2]
        return block | block["external"][name] if name else block

    def external(self, study: str) -> list[str]:
        """The external sets of a study, as ``<study>/external/<name>``: so they lie in data/."""
        return [f"{study}{EXTERNAL}{name}" for name in self.study(study)["external"]]

    def owner(self, source: str) -> str:
        """The study that an external set is one of, or the study itself."""
        return source.partition(EXTERNAL)[0]

    @property
    def sources(self) -> list[str]:
        """All that is made from raw data: the studies and their external sets."""
        return [*self.studies, *(each for study in self.studies for each in self.external(study))]

    @property
    def pretrained(self) -> list[str]:
        return list(self.content["pretrained"])

    def raw(self, study: str) -> str:
        """The folder of a study's raw data."""
        return str(self.study(study)["raw"]).rstrip("/")

    def dataset(self, study: str) -> str:
        """What a study's data is called where others may read it.

        The path of its folder may name people and wards, which pseudonyms are to keep out.
        """
        hidden = study if self.content["pseudonyms"] else self.raw(study)
        return str(self.study(study)["dataset"] or hidden)

    def phantom(self, study: str) -> str | None:
        """The phantom whose folder a study reads, or None where its raw data is real."""
        found = PHANTOM.fullmatch(self.raw(study))
        return found["name"] if found else None

    def is_phantom(self, study: str) -> bool:
        return self.phantom(study) is not None

    def arms(self, study: str) -> dict[str, Arm]:
        """The arms of a study by name, in the order of their stages."""
        return self._arms[study]

    @cached_property
    def _arms(self) -> dict[str, dict[str, Arm]]:
        return {study: resolve_arms(self.content, study, self.source) for study in self.studies}

    def runs(self, study: str, arm: str | None = None) -> Iterator[Run]:
        """All runs of a study, or of one of its arms."""
        for each in self.arms(study).values():
            if arm in (None, each.name):
                for fold in [ALL] if each.over_folds else self.study(study)["folds"]:
                    for seed in [ALL] if each.over_seeds else each.seeds:
                        yield Run(study, each.stage, each.name, fold, seed)

    def trained_runs(self, study: str) -> Iterator[Run]:
        """All runs of a study that train a network: not its ensembles."""
        return (run for run in self.runs(study) if run.stage != "ensemble")

    def run(self, study: str, arm: str, fold: str | int, seed: str | int) -> Run:
        return Run(study, self.arms(study)[arm].stage, arm, place(fold), place(seed))

    def folds(self, run: Run) -> list[int]:
        """The folds that a run is of: its own, or all of the study."""
        return list(self.study(run.study)["folds"]) if run.fold == ALL else [run.fold]

    def parent(self, run: Run) -> Run:
        """The run that this one starts from."""
        parent = self.arms(run.study)[run.arm].parent
        assert parent is not None, run
        return self.run(run.study, parent, run.fold, run.seed)

    def members(self, run: Run) -> list[Run]:
        """The runs whose mean an ensemble's run is."""
        arm = self.arms(run.study)[run.arm]
        seeds = arm.seeds if run.seed == ALL else [run.seed]
        return [
            self.run(run.study, member, fold, seed)
            for member in arm.members
            for fold in self.folds(run)
            for seed in seeds
        ]

    def _check_study(self, study: str) -> None:
        where = _place(study)
        block, arms = self.study(study), self.arms(study)
        checks.check_study(block, arms, f"{self.source}: {where}")
        for arm in arms.values():
            if arm.stage != "ensemble":
                path = f"{where}.{location(arm.stage)}.arms.{arm.name}"
                check(arm.recipe, Recipe, f"{self.source}: {path}")
                model = arm.recipe["model"]
                options = options_of(model["architecture"])
                check(model["options"], options, f"{self.source}: {path}.model.options")
                pretrained = self.content["pretrained"]
                checks.check_arm(arm, block, pretrained, f"{self.source}: {path}")
        self._check_raw(study)
        for each in self.external(study):
            place = f"{self.source}: {_place(each)}"
            checks.check_external(each.rpartition("/")[2], place)
            checks.check_data(self.study(each), place)
            self._check_raw(each)

    def _check_raw(self, source: str) -> None:
        phantom = self.phantom(source)
        if phantom is not None and phantom not in self.phantoms:
            raise UserError(
                f"{self.raw(source)} holds generated data, but phantoms.{phantom} is not set",
                where=f"{self.source}: {_place(source)}.raw",
                remedy="point it at your folder of raw data, or take the phantom's block"
                " from presets/demo.yaml",
            )

    def _check_used(self) -> None:
        """DVC would make what a block describes, and Snakemake not what nobody needs."""
        arms = [arm for study in self.studies for arm in self.arms(study).values()]
        used = {
            "phantoms": {self.phantom(source) for source in self.sources},
            "pretrained": {arm.recipe["model"]["pretrained"] for arm in arms if arm.recipe},
        }
        by = {"phantoms": "no study reads it", "pretrained": "no arm starts from it"}
        for kind, names in used.items():
            for name in self.content[kind]:
                if name not in names:
                    raise UserError(
                        by[kind],
                        where=f"{self.source}: {kind}.{name}",
                        remedy="take the block out, or make it a comment",
                    )


def canonical(settings: Any) -> str:
    """JSON that is equal exactly when the settings are: sorted keys, no spaces."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _refuse_common(content: Json, source: str) -> None:
    """Raise UserError where the defaults have what studies can't share."""
    for key in ("raw", "classes", *defaults(Told)):
        if isinstance(content, dict) and key in (content.get("defaults") or {}):
            where = f"{source}: defaults.{key}"
            raise UserError("is each study's own", where=where, remedy="set it in every study")


def whole(content: Json) -> Json:
    """The settings with the declared defaults, and every study's block with all its keys."""
    filled = {"pseudonyms": False, **content}
    common = merge(defaults(Defaults), filled.pop("defaults", {}))
    filled["recipe"] = merge(defaults(Recipe), content.get("recipe", {}))
    usual = common | defaults(Told)
    filled["studies"] = {name: merge(usual, block) for name, block in content["studies"].items()}
    for study in filled["studies"].values():
        study["external"] = {
            name: defaults(External) | block | {"index": _inherited(study["index"], block)}
            for name, block in study.get("external", {}).items()
        }
        if "sequence" in study.get("training", {}):
            given = study["training"]["sequence"]
            study["training"]["sequence"] = defaults(SequenceStage) | given
    filled["pretrained"] = {
        name: defaults(KINDS[block["source"]]) | block
        for name, block in content["pretrained"].items()
    }
    return filled


def _place(source: str) -> str:
    """The key of a study's block, or of an external set's."""
    return f"studies.{source}".replace("/", ".")


def _inherited(index: Json, external: Json) -> Json:
    """The index of an external set: its study's but for partitions, with what its own block says.

    Another reader has no use for the settings of the study's table.
    """
    own, usual = external.get("index", {}), defaults(Index)
    index = merge(index, {"partitions": {}, "columns": {"partition": None}})
    if own.get("reader", index.get("reader")) != index.get("reader"):
        index = index | {key: usual[key] for key in checks.TABLE_KEYS if key != "channels"}
    if {"file", "pattern"} & own.get("columns", {}).keys():  # one in place of the other
        index = merge(index, {"columns": {"file": None, "pattern": None}})
    return merge(index, own)


def _plain(value: Any) -> Any:
    """As JSON would have it, with numbers for what YAML takes for text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        return float(value)
    return value
