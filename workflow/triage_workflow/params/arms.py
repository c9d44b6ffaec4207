"""Arms: what each inherits is filled in, and searches and ensembles are spelled out."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from triage_workflow.params.declared import defaults
from triage_workflow.params.validation import Json

from triage.errors import UserError
from triage.models import FLOORS
from triage.training.settings import Recipe

STAGES = ("training", "sequence", "finetuning")
# The stage before each, whose arms it starts from.
ORIGIN = {"training": None, "sequence": "training", "finetuning": "sequence"}
Over = Literal["", "folds", "seeds", "runs"]
# What of a recipe a model reads that is no network.
OF_FLOORS = ("input", "train_on", "exclude_votes", "model")


@dataclass(frozen=True)
class Arm:
    """One model and recipe of a study, with everything it inherits filled in.

    ``search`` names the search that this arm is a point of, ``point`` what it tries there.
    ``members`` are the arms whose mean an ensemble is, and ``over`` what else it is a mean over; it
    has no recipe of its own.
    """

    name: str
    stage: str
    seeds: tuple[int, ...]
    parent: str | None = None
    recipe: Json = field(default_factory=dict)
    sequence: Json | None = None
    search: str | None = None
    point: Json = field(default_factory=dict)
    members: tuple[str, ...] = ()
    over: Over = ""

    @property
    def over_folds(self) -> bool:
        """Whether it is one predictor of all folds."""
        return self.over in ("folds", "runs")

    @property
    def over_seeds(self) -> bool:
        """Whether it is one predictor of all seeds."""
        return self.over in ("seeds", "runs")

    @property
    def is_floor(self) -> bool:
        """Whether it is no network, but what one has to be ahead of."""
        return bool(self.recipe) and self.recipe["model"]["architecture"] in FLOORS


def resolve_arms(content: Json, study: str, source: str) -> dict[str, Arm]:
    """The arms of a study by name: stage by stage, then ensembles.

    Raises UserError naming the arm and what is wrong with it.
    """
    block = content["studies"][study]
    arms: dict[str, Arm] = {}
    for stage in STAGES:
        named = _stage(block, stage).get("arms", {})
        for name in named:
            where = f"{source}: studies.{study}.{location(stage)}.arms.{name}"
            overrides = _extended(named, name, where)
            search = overrides.pop("search", None)
            for point_name, point in _points(name, search):
                _refuse_taken(point_name, arms, where)
                arm = _resolve(content, study, stage, point_name, overrides, point, arms, where)
                arms[point_name] = replace(arm, search=name if search else None, point=point)
    for name, given in block["ensembles"].items():
        where = f"{source}: studies.{study}.ensembles.{name}"
        _refuse_taken(name, arms, where)
        ensemble = given if isinstance(given, dict) else {"arms": given, "over": ""}
        arm = _ensemble(name, ensemble["arms"], arms, where)
        arms[name] = replace(arm, over=ensemble["over"])
    if not arms:
        raise UserError("no arm", where=f"{source}: studies.{study}", remedy="add one")
    return arms


def location(stage: str) -> str:
    """Where in a study's block the arms of a stage stand."""
    return stage if stage == "training" else f"training.{stage}"


def merge(base: Json, *overrides: Json) -> Json:
    """``base`` with single keys overridden, block by block."""
    merged = copy.deepcopy(base)
    for override in overrides:
        if "architecture" in override:
            merged.pop("options", None)  # another architecture knows other options
            override = {"options": {}} | override
        for key, value in override.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "slices":
                merged[key] = merge(merged[key], value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def _stage(block: Json, stage: str) -> Json:
    training: Json = block["training"]
    return training if stage == "training" else training.get(stage, {})


def _resolve(
    content: Json,
    study: str,
    stage: str,
    name: str,
    overrides: Json,
    point: Json,
    earlier: Mapping[str, Arm],
    where: str,
) -> Arm:
    block = content["studies"][study]
    own = {key: each for key, each in overrides.items() if key not in ("seeds", "from", "sequence")}
    seeds = tuple(overrides.get("seeds", block["seeds"]))
    parent, sequence = overrides.get("from"), overrides.get("sequence")
    _check_origin(stage, parent, sequence, earlier, where)
    inherited: Json = {}
    if parent is not None:
        _check_seeds(seeds, [earlier[parent]], where)
        # What a network sees and is stays as it was in the arm it starts from.
        inherited = {key: earlier[parent].recipe[key] for key in ("input", "augment", "model")}
    tried = _nested(point)
    recipe = merge(content["recipe"], inherited, _stage(block, stage).get("recipe", {}), own, tried)
    if stage == "training" and recipe["model"]["architecture"] in FLOORS:
        recipe = _of_floor(recipe, merge(own, tried), where)
    return Arm(name, stage, seeds, parent, recipe, sequence)


def _of_floor(recipe: Json, own: Json, where: str) -> Json:
    """The recipe of an arm that is no network: of what networks share, only what it reads.

    Raises UserError where its ``own`` keys are for networks.
    """
    for key in own:
        if key not in OF_FLOORS:
            raise UserError(
                f"is for networks: {recipe['model']['architecture']} learns without",
                where=f"{where}.{key}",
                remedy=f"take it out, and extend no network's arm; allowed: {', '.join(OF_FLOORS)}",
            )
    read = {key: recipe[key] for key in OF_FLOORS}
    pretrained = own["model"].get("pretrained", "none") if "model" in own else "none"
    read["model"] = recipe["model"] | {"pretrained": pretrained}
    return merge(defaults(Recipe), {"epochs": 1, "select": {"by": "last"}}, read)


def _extended(arms: Json, name: str, where: str) -> Json:
    """The overrides of an arm with those of the arms that it extends, the nearest last."""
    chain: list[str] = []
    following: str | None = name
    while following is not None:
        if following in chain or following not in arms:
            raise UserError(
                f"extends {following!r}", where=where, remedy="name another arm of this stage"
            )
        chain.append(following)
        following = arms[following].get("extends")
    without_search = [
        {key: value for key, value in arms[each].items() if key != "search" or each == name}
        for each in reversed(chain)
    ]
    merged = merge({}, *without_search)
    merged.pop("extends", None)
    return merged


def _points(name: str, search: Json | None) -> Iterator[tuple[str, Json]]:
    """The arms that a search stands for: name and settings of each; without one, the arm itself."""
    if search is None:
        yield name, {}
        return
    values: dict[str, list[Any]] = search["values"]
    if search["mode"] == "grid":
        for choice in itertools.product(*values.values()):
            yield _point(name, dict(zip(values, choice, strict=True)))
        return
    for key, choices in values.items():
        for value in choices:
            yield _point(name, {key: value})


def _point(name: str, point: Json) -> tuple[str, Json]:
    words = [f"{key.rpartition('.')[2]}{value:g}" for key, value in point.items()]
    return "_".join([name, *(re.sub(r"[^a-z0-9]", "_", word) for word in words)]), point


def _nested(point: Json) -> Json:
    """``{"optimizer.lr": 1}`` as ``{"optimizer": {"lr": 1}}``."""
    nested: Json = {}
    for path, value in point.items():
        *blocks, key = path.split(".")
        block = nested
        for each in blocks:
            block = block.setdefault(each, {})
        block[key] = value
    return nested


def _ensemble(name: str, members: list[str], arms: Mapping[str, Arm], where: str) -> Arm:
    known = [arm.name for arm in arms.values() if arm.stage != "ensemble"]
    if unknown := [each for each in members if each not in known]:
        raise UserError(
            f"{unknown[0]!r} is no trained arm", where=where, remedy=f"of {', '.join(known)}"
        )
    common = set.intersection(*(set(arms[each].seeds) for each in members))
    if not common:
        raise UserError("the members share no seed", where=where, remedy="give them one")
    return Arm(name, "ensemble", tuple(sorted(common)), members=tuple(members))


def _refuse_taken(name: str, arms: Mapping[str, Arm], where: str) -> None:
    if name in arms or name == "best":
        raise UserError(f"the name {name} is taken", where=where, remedy="name the arm otherwise")


def _check_origin(
    stage: str, parent: str | None, sequence: Json | None, earlier: Mapping[str, Arm], where: str
) -> None:
    before = ORIGIN[stage]
    fitting = [arm.name for arm in earlier.values() if arm.stage == before]
    if before is None and parent is not None:
        raise UserError("starts from nothing", where=f"{where}.from", remedy="take it out")
    if before is not None and parent not in fitting:
        raise UserError(
            "missing key from" if parent is None else f"{parent!r} is not allowed",
            where=where if parent is None else f"{where}.from",
            remedy=f"must be one of {', '.join(fitting)}",
        )
    if (stage == "sequence") != (sequence is not None):
        word = "missing" if stage == "sequence" else "of no use here"
        raise UserError(f"the key sequence is {word}", where=where)


def _check_seeds(seeds: tuple[int, ...], origins: list[Arm], where: str) -> None:
    for origin in origins:
        if missing := sorted(set(seeds) - set(origin.seeds)):
            raise UserError(
                f"seed(s) {missing} are not among those of {origin.name}",
                where=f"{where}.seeds",
                remedy=f"add them there, or choose from {list(origin.seeds)}",
            )
