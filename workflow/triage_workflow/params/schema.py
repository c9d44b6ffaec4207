"""params.yaml against its schema, and what is wrong with it in words."""

from __future__ import annotations

import copy
import difflib
import math
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from triage import yaml_text
from triage.errors import UserError

# 2.0 is no whole number here: what reads it would refuse it.
VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
SCHEMA = Path(__file__).parents[2] / "schemas" / "params.schema.yaml"

Json = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """Refuses a key that stands twice in a block, of which others would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} stands twice in one block", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(text: str) -> Any:
    """What YAML text holds. Raises yaml.YAMLError, also for a key that stands twice."""
    return yaml_text.parse(text, _Loader)


@cache
def schema() -> Json:
    """The schema of params.yaml."""
    return yaml.load(SCHEMA.read_text(encoding="utf-8"), yaml.CSafeLoader)


def complete(name: str) -> Json:
    """The definition ``name`` with every key required: overrides may be partial, results not."""
    definition = copy.deepcopy(schema()["$defs"][name])
    _require_all(definition)
    return {**definition, "$defs": schema()["$defs"]}


def _require_all(definition: Json) -> None:
    if "properties" in definition and "required" not in definition:
        definition["required"] = [
            name for name, each in definition["properties"].items() if "default" not in each
        ]
        for each in definition["properties"].values():
            _require_all(each)


def check(content: Any, rules: Json, source: str, prefix: str = "") -> None:
    """Raise UserError for the first value that ``rules`` do not allow, naming its key."""
    _refuse_non_finite(content, source, prefix)
    validator = VALIDATOR(rules, format_checker=VALIDATOR.FORMAT_CHECKER)
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is not None:
        raise _explain(error, source, prefix)


def _refuse_non_finite(content: Any, source: str, path: str) -> None:
    """NaN is neither above nor below any bound, so no rule would refuse it."""
    if isinstance(content, dict):
        for key, value in content.items():
            _refuse_non_finite(value, source, f"{path}.{key}" if path else str(key))
    elif isinstance(content, list):
        for value in content:
            _refuse_non_finite(value, source, path)
    elif isinstance(content, float) and not math.isfinite(content):
        raise UserError(
            f"{content} is not allowed", where=f"{source}: {path}", remedy="must be a finite number"
        )


def _explain(error: jsonschema.ValidationError, source: str, prefix: str) -> UserError:
    path = ".".join([prefix] * bool(prefix) + [str(each) for each in error.absolute_path])
    where = f"{source}: {path}" if path else source
    value: Any = error.instance
    rule = cast(Json, error.schema)
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
