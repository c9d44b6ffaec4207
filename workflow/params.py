"""params.yaml: validated once, with every arm and run resolved."""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from triage.errors import UserError

STAGES = ("training", "sequence", "finetuning")
SCHEMA = Path(__file__).parent / "schemas" / "params.schema.yaml"
# YAML 1.1 takes 1e-4 for text; people write it all the same.
EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")

Json = dict[str, Any]


@dataclass(frozen=True, order=True)
class Run:
    """One training: an arm of a study, on one fold, from one seed."""

    study: str
    stage: str
    arm: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        return f"fold{self.fold}-seed{self.seed}"

    def result(self, kind: str, suffix: str) -> str:
        """The path of a result of this run; ``kind`` is the folder that holds it."""
        return f"results/{self.study}/{kind}/{self.arm}/{self.name}{suffix}"

    @property
    def checkpoint(self) -> str:
        return self.result("training", "/checkpoint.pt")


@dataclass(frozen=True)
class Arm:
    """One model and recipe of a study, with everything it inherits filled in."""

    name: str
    stage: str
    parent: str | None
    seeds: tuple[int, ...]
    recipe: Json
    sequence: Json | None


class Params:
    """The settings of all enabled studies, valid and resolved."""

    def __init__(self, content: Json, source: str = "params.yaml") -> None:
        content = _numbers(content)
        schema = _schema()
        _check(content, schema, source)
        _check(content["recipe"], _complete(schema, "recipe"), source, "recipe")
        self.content = content
        self.source = source
        for study in self.studies:
            for arm in self.arms(study).values():
                where = f"studies.{study}.{_location(arm.stage)}.arms.{arm.name}"
                _check(arm.recipe, _complete(schema, "recipe"), source, where)
                self._check_arm(study, arm, where)
            self._check_study(study)

    @classmethod
    def read(cls, path: Path) -> Params:
        """The settings in a file. Raises UserError naming key, value and what is allowed."""
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError("is not there", where=path) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"is not valid YAML: {error}", where=path) from error
        return cls(content, str(path))

    @property
    def studies(self) -> list[str]:
        return list(self.content["studies"])

    @property
    def phantoms(self) -> list[str]:
        return list(self.content["phantoms"])

    def study(self, study: str) -> Json:
        return self.content["studies"][study]

    def raw(self, study: str) -> str:
        """The folder of a study's raw data."""
        return str(self.study(study)["raw"]).rstrip("/")

    def is_phantom(self, study: str) -> bool:
        return study in self.content["phantoms"] and self.raw(study) == f"data/{study}/phantom"

    def arms(self, study: str) -> dict[str, Arm]:
        """The arms of a study by name, in the order of their stages."""
        return self._arms[study]

    @cached_property
    def _arms(self) -> dict[str, dict[str, Arm]]:
        return {study: _resolve_arms(self.content, study, self.source) for study in self.studies}

    def runs(self, study: str, arm: str | None = None) -> Iterator[Run]:
        """All runs of a study, or of one of its arms."""
        for each in self.arms(study).values():
            if arm in (None, each.name):
                for fold in self.study(study)["folds"]:
                    for seed in each.seeds:
                        yield Run(study, each.stage, each.name, fold, seed)

    def run(self, study: str, arm: str, fold: int, seed: int) -> Run:
        return Run(study, self.arms(study)[arm].stage, arm, int(fold), int(seed))

    def parent(self, run: Run) -> Run:
        """The run that this one starts from."""
        parent = self.arms(run.study)[run.arm].parent
        assert parent is not None, run
        return self.run(run.study, parent, run.fold, run.seed)

    def _check_arm(self, study: str, arm: Arm, where: str) -> None:
        recipe, where = arm.recipe, f"{self.source}: {where}"
        if "val" in recipe["train_on"] and recipe["select"]["by"] != "last":
            raise UserError(
                f"select.by is {recipe['select']['by']}, but validation cases are trained on",
                where=where,
                remedy="set select.by: last, or train_on: [train]",
            )
        if self.study(study)["split"]["validation"] == "none" and recipe["select"]["by"] != "last":
            raise UserError(
                "split.validation is none, so no epoch can be chosen",
                where=where,
                remedy="set select.by: last",
            )
        fixed = recipe["input"]
        if fixed["normalise"] == "fixed" and not fixed["mean"] and not fixed["deviation"]:
            raise UserError(
                "normalise is fixed, but mean or deviation is empty",
                where=f"{where}.input",
                remedy="give one number a channel for both, or set normalise: training",
            )
        span, least = recipe["input"]["slices"], self.study(study)["index"]["min_slices"]
        end = span[1] if isinstance(span, list) else max(span["only"]) + 1 if span else 0
        if end > least or (isinstance(span, list) and span[0] >= span[1]):
            raise UserError(
                f"{span} does not fit volumes of at least {least} slices (index.min_slices)",
                where=f"{where}.input.slices",
                remedy="[first, end) counts from 0, end not included",
            )

    def _check_study(self, study: str) -> None:
        block = self.study(study)
        where = f"{self.source}: studies.{study}"
        for fold in block["folds"]:
            if fold >= block["split"]["k"]:
                raise UserError(
                    f"fold {fold} is not one of the {block['split']['k']} folds",
                    where=f"{where}.folds",
                    remedy=f"folds are 0 to {block['split']['k'] - 1}; see split.k",
                )
        split = block["split"]
        if split["test"] == split["validation"] == "fold" and split["k"] < 3:
            raise UserError(
                "2 folds can't be training, validation and test",
                where=f"{where}.split.k",
                remedy="use at least 3, or take test or validation from the source",
            )
        if block["multilabel"] is False and len(block["classes"]) != 2:
            raise UserError(
                f"{len(block['classes'])} classes",
                where=f"{where}.classes",
                remedy="name two, the positive one last, or set multilabel: true",
            )
        chosen = block["submission"]["arm"]
        if chosen != "best" and chosen not in self.arms(study):
            raise UserError(
                f"{chosen!r} is not an arm",
                where=f"{where}.submission.arm",
                remedy=f"best, or one of {', '.join(self.arms(study))}",
            )
        self._check_raw(study, where)

    def _check_raw(self, study: str, where: str) -> None:
        if self.raw(study) == f"data/{study}/phantom" and study not in self.phantoms:
            raise UserError(
                f"{self.raw(study)} holds generated data, but phantoms.{study} is not set",
                where=f"{where}.raw",
                remedy="point it at your folder of raw data, or take the phantom's block"
                " from presets/demo.yaml",
            )


def canonical(settings: Any) -> str:
    """JSON that is equal exactly when the settings are: sorted keys, no spaces."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    if isinstance(value, str) and EXPONENT.fullmatch(value):
        return float(value)
    return value


def _schema() -> Json:
    return yaml.load(SCHEMA.read_text(encoding="utf-8"), yaml.CSafeLoader)


def _complete(schema: Json, name: str) -> Json:
    """The definition ``name`` with every key required: overrides may be partial, results not."""
    definition = copy.deepcopy(schema["$defs"][name])
    _require_all(definition)
    return {**definition, "$defs": schema["$defs"]}


def _require_all(definition: Json) -> None:
    if "properties" in definition and "required" not in definition:
        definition["required"] = list(definition["properties"])
        for each in definition["properties"].values():
            _require_all(each)


def _check(content: Any, schema: Json, source: str, prefix: str = "") -> None:
    kind = jsonschema.Draft202012Validator
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is not None:
        raise _explain(error, source, prefix)


def _explain(error: jsonschema.ValidationError, source: str, prefix: str) -> UserError:
    path = ".".join([prefix] * bool(prefix) + [str(each) for each in error.absolute_path])
    where = f"{source}: {path}" if path else source
    value, rule = error.instance, error.schema
    if error.validator == "additionalProperties":
        known = list(rule.get("properties", {}))
        unknown = [key for key in value if key not in known]
        close = difflib.get_close_matches(str(unknown[0]), known, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        return UserError(
            f"unknown key {', '.join(map(str, unknown))}",
            where=where,
            remedy=f"{hint}allowed: {', '.join(known)}",
        )
    if error.validator == "required":
        missing = [key for key in rule["required"] if key not in value]
        return UserError(f"missing key {', '.join(missing)}", where=where, remedy="add it")
    return UserError(f"{value!r} is not allowed", where=where, remedy=f"must be {_allowed(rule)}")


def _allowed(rule: Json) -> str:
    """What a schema allows, in words."""
    if "enum" in rule:
        return "one of " + ", ".join(map(str, rule["enum"]))
    if "oneOf" in rule:
        return " or ".join(_allowed(each) for each in rule["oneOf"])
    words = {"integer": "a whole number", "number": "a number", "string": "text", "null": "null"}
    words |= {"array": "a list", "object": "a mapping", "boolean": "true or false"}
    kinds = rule.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    bounds = {
        "minimum": "at least {}",
        "exclusiveMinimum": "above {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "below {}",
        "minItems": "of at least {} items",
        "maxItems": "of at most {} items",
        "pattern": "matching {}",
        "format": "a valid {}",
        "minLength": "of at least {} characters",
    }
    limits = [text.format(rule[key]) for key, text in bounds.items() if key in rule]
    if rule.get("uniqueItems"):
        limits.append("without repetition")
    return " or ".join(words.get(kind, kind) for kind in kinds) + " " + ", ".join(limits)


def _merge(base: Json, *overrides: Json) -> Json:
    """``base`` with single keys overridden, block by block."""
    merged = copy.deepcopy(base)
    for override in overrides:
        if "architecture" in override:
            merged.pop("options", None)  # another architecture knows other options
            override = {"options": {}} | override
        for key, value in override.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "slices":
                merged[key] = _merge(merged[key], value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def _resolve_arms(content: Json, study: str, source: str) -> dict[str, Arm]:
    block = content["studies"][study]
    arms: dict[str, Arm] = {}
    for stage in STAGES:
        for name in _stage(block, stage).get("arms", {}):
            where = f"{source}: studies.{study}.{_location(stage)}.arms.{name}"
            if name in arms or name == "best":
                raise UserError("this name is taken", where=where, remedy="name the arm otherwise")
            arms[name] = _resolve_arm(content, study, stage, name, arms, where)
    if not arms:
        raise UserError("no arm", where=f"{source}: studies.{study}", remedy="add one")
    return arms


def _stage(block: Json, stage: str) -> Json:
    training: Json = block["training"]
    return training if stage == "training" else training.get(stage, {})


def _location(stage: str) -> str:
    return stage if stage == "training" else f"training.{stage}"


def _resolve_arm(
    content: Json, study: str, stage: str, name: str, earlier: Mapping[str, Arm], where: str
) -> Arm:
    block = content["studies"][study]
    overrides = _extended(_stage(block, stage)["arms"], name, where)
    seeds = overrides.pop("seeds", block["seeds"])
    parent = overrides.pop("from", None)
    sequence = overrides.pop("sequence", None)
    _check_origin(stage, parent, sequence, earlier, where)
    recipe = content["recipe"]
    if parent is not None:
        # What a network sees and is stays as it was in the arm it starts from.
        inherited = {key: earlier[parent].recipe[key] for key in ("input", "augment", "model")}
        recipe = _merge(recipe, inherited)
        missing = sorted(set(seeds) - set(earlier[parent].seeds))
        if missing:
            raise UserError(
                f"seed(s) {missing} are not among those of {parent}",
                where=f"{where}.seeds",
                remedy=f"add them there, or choose from {list(earlier[parent].seeds)}",
            )
    recipe = _merge(recipe, _stage(block, stage)["recipe"], overrides)
    return Arm(name, stage, parent, tuple(seeds), recipe, sequence)


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
    merged = _merge({}, *(arms[each] for each in reversed(chain)))
    merged.pop("extends", None)
    return merged


def _check_origin(
    stage: str, parent: str | None, sequence: Json | None, earlier: Mapping[str, Arm], where: str
) -> None:
    before = {"training": None, "sequence": "training", "finetuning": "sequence"}[stage]
    fitting = [arm.name for arm in earlier.values() if arm.stage == before]
    if before is None and parent is not None:
        raise UserError("starts from nothing", where=f"{where}.from", remedy="take it out")
    if before is not None and parent not in fitting:
        raise UserError(
            f"{parent!r} is not allowed",
            where=f"{where}.from",
            remedy=f"must be one of {', '.join(fitting)}",
        )
    if (stage == "sequence") != (sequence is not None):
        word = "missing" if stage == "sequence" else "of no use here"
        raise UserError(f"the key sequence is {word}", where=where)
