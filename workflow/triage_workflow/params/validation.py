"""Settings against their declarations, and what is wrong with them in words."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from triage.errors import UserError

Json = dict[str, Any]
Place = tuple[int | str, ...]

RULES = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
UNKNOWN = "unexpected_keyword_argument"
KINDS = {"integer": "a whole number", "number": "a number", "string": "text", "null": "null"}
KINDS |= {"array": "a list", "object": "a mapping", "boolean": "true or false"}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "of at least {} items",
    "maxItems": "of at most {} items",
    "minProperties": "of at least {} keys",
    "pattern": "matching {}",
    "format": "a valid {}",
    "minLength": "of at least {} characters",
}


def check(
    content: Any, kind: Any, where: str, partial: Callable[[Place], bool] = lambda place: False
) -> None:
    """Raise UserError for the first value that ``kind`` does not allow, naming its key.

    ``where`` is the place of ``content``. Of a block at a ``partial`` place other keys may stand
    elsewhere.
    """
    try:
        _adapter(kind).validate_json(json.dumps({"": content}, default=str))
    except ValidationError as errors:
        found = errors.errors(include_url=False)
        missing = [each for each in found if _is_missing(each) and partial(each["loc"][1:-1])]
        if missing:  # a block that may be null is not null either, which says nothing
            found = [each for each in found if each["type"] != "none_required"]
        found = [each for each in found if each not in missing]
        if found:
            raise _explain(found, content, Rules(kind), where) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Of a mapping of blocks, since pydantic takes no rules for a plain dataclass.
    return TypeAdapter(dict[str, kind], config=RULES)


class Rules:
    """What a declaration allows, as JSON Schema."""

    def __init__(self, kind: Any) -> None:
        schema = _adapter(kind).json_schema()
        self.definitions: Json = schema.get("$defs", {})
        self.whole = self.resolved(schema["additionalProperties"])

    def resolved(self, rule: Json) -> Json:
        """A rule itself, where it is a reference to one."""
        return self.definitions[rule["$ref"].rpartition("/")[2]] if "$ref" in rule else rule

    def under(self, rule: Json, key: Any, value: Any) -> Json | None:
        """The rule of a key of ``value``; None where there are several."""
        if "discriminator" in rule and key == rule["discriminator"]["propertyName"]:
            return {"enum": list(rule["discriminator"]["mapping"])}
        chosen = self.chosen(rule, value)
        if chosen is None:
            return None
        rule = chosen
        if "prefixItems" in rule:
            return self.resolved(rule["prefixItems"][key])
        inner = [*rule.get("patternProperties", {}).values(), rule.get("items")]
        inner = [rule.get("properties", {}).get(key), *inner, rule.get("additionalProperties")]
        return next((self.resolved(each) for each in inner if each), None)

    def chosen(self, rule: Json, value: Any) -> Json | None:
        """Of the alternatives of a rule the one that ``value`` means; None where that is open."""
        if "discriminator" in rule:
            kinds, name = rule["discriminator"]["mapping"], rule["discriminator"]["propertyName"]
            return self.resolved({"$ref": kinds[value[name]]})
        if "anyOf" not in rule:
            return rule
        others = [each for each in rule["anyOf"] if each.get("type") != "null"]
        if isinstance(value, dict):
            blocks = [each for each in map(self.resolved, others) if "properties" in each]
            others = blocks or others
        return self.resolved(others[0]) if len(others) == 1 else None

    def words(self, rule: Json) -> str:
        """What a rule allows."""
        rule = self.resolved(rule)
        if "anyOf" in rule:
            return " or ".join(self.words(each) for each in rule["anyOf"])
        if "enum" in rule:
            return "one of " + ", ".join(map(str, rule["enum"]))
        if all("const" in each for each in rule.get("prefixItems", [{}])):
            return f"[{', '.join(each['const'] for each in rule['prefixItems'])}]"
        if "maxItems" in rule and rule["maxItems"] == rule.get("minItems"):
            return f"a list of {rule['maxItems']}" + ", the least first" * rule.get(
                "ordered", False
            )
        limits = [text.format(rule[key]) for key, text in BOUNDS.items() if key in rule]
        limits += ["without repetition"] * rule.get("uniqueItems", False)
        return f"{KINDS.get(rule.get('type', 'object'))} {', '.join(limits)}".strip()


def _is_missing(error: ErrorDetails) -> bool:
    """Whether a key is missing, and not an item of a list."""
    return error["type"] == "missing" and isinstance(error["loc"][-1], str)


def _explain(errors: list[ErrorDetails], content: Any, rules: Rules, where: str) -> UserError:
    # A misspelt key is missing as well; what was written tells more. Of several types that a value
    # may have, the one is meant that fits it farthest.
    def rank(each: ErrorDetails) -> tuple[bool, bool, int]:
        return each["type"] != UNKNOWN, _is_missing(each), -len(each["loc"])

    error = min(errors, key=rank)
    location: list[Any]
    kind, location = error["type"], [*error["loc"][1:]]
    if kind == "missing" and not _is_missing(error):
        kind = "too_short"
        location.pop()
    if kind.startswith("union_tag"):
        location.append(str(error["ctx"]["discriminator"]).strip("'"))
        kind = "missing" if kind == "union_tag_not_found" else kind
    last = location[-1] if location else None
    if kind in (UNKNOWN, "missing"):
        location.pop()
    path: list[Any] = []
    rule: Json = rules.whole
    value: Any = content
    for key in location:
        # What is no key of the value is pydantic's name for one of several types.
        if not (isinstance(value, dict | list) and (key in value or isinstance(key, int))):
            continue
        inner = rules.under(rule, key, value)
        if inner is None:
            break
        path, rule, value = [*path, key], inner, value[key]
    if last == "[key]":
        value, names = path.pop(), error["ctx"].get("expected", "").replace("'", "")
        rule = {"enum": [names]} if names else {"type": "string", **error["ctx"]}
    place = where + (("." if ": " in where else ": ") * bool(path)) + ".".join(map(str, path))
    if kind == "missing":
        return UserError(f"missing key {last}", where=place, remedy="add it")
    if kind == UNKNOWN:
        known = list((rules.chosen(rule, value) or {}).get("properties", {}))
        close = difflib.get_close_matches(str(last), known, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        remedy = f"{hint}allowed: {', '.join(known)}"
        return UserError(f"unknown key {last}", where=place, remedy=remedy)
    remedy = f"must be {rules.words(rule)}"
    return UserError(f"{value!r} is not allowed", where=place, remedy=remedy)
