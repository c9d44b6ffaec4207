"""Write what is made of the declarations of settings: docs/settings.md and a schema for editors."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import typing
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from triage_workflow.params.declared import (
    Arm,
    Defaults,
    Ensemble,
    External,
    Images,
    Index,
    Phantoms,
    SequenceStage,
    Settings,
    Stage,
    Study,
    Training,
)
from triage_workflow.params.validation import Json, Rules

from triage import command
from triage.files import write_text
from triage.models import ARCHITECTURES, options_of
from triage.models.pretrained import Download, Pretext, Published
from triage.training.settings import Only, Recipe, Sequence

SCHEMA, DOCUMENT = Path("workflow/schemas/params.schema.json"), Path("docs/settings.md")
# What has a section of its own, and what stands before a key there.
SECTIONS = {
    Settings: "The file",
    Recipe: "recipe",
    Defaults: "defaults",
    Study: "studies.&lt;study&gt;",
    External: "studies.&lt;study&gt;.external.&lt;name&gt;",
    Training: "studies.&lt;study&gt;.training",
    Arm: "An arm",
    Ensemble: "An ensemble over folds or seeds",
    Published: "pretrained.&lt;name&gt;, source: imagenet",
    Download: "pretrained.&lt;name&gt;, source: download",
    Pretext: "pretrained.&lt;name&gt;, source: pretext",
    Phantoms: "phantoms",
}
INTRODUCTION = """# Settings

Made by `python -m triage_workflow.params.documents` of the declarations in the code; change those.

What stands nearer to an arm goes before what stands further away: the declared default, `recipe` or
`defaults` of the file, the study, the stage (`training`, `training.sequence`,
`training.finetuning`), the arms that an arm `extends`, the arm, and the point of its search.
"""
# Blocks of which a part may stand elsewhere, beside those of recipes.
PARTIAL = {Index, External, Images, Stage, SequenceStage, Defaults, Sequence}


def schema() -> Json:
    """JSON Schema (2020-12) of params.yaml, for editors."""
    rules = Rules(Settings)
    _complete(rules)
    model = rules.definitions["ModelSettings"]
    model["allOf"] = []
    for architecture in ARCHITECTURES:
        of_options = Rules(options_of(architecture)).whole
        is_meant = {"architecture": {"const": architecture}}
        model["allOf"].append(
            {
                "if": {"required": ["architecture"], "properties": is_meant},
                "then": {"properties": {"options": of_options}},
            }
        )
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "params.yaml", **rules.whole, "$defs": rules.definitions}


def schema_text() -> str:
    """workflow/schemas/params.schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


def document() -> str:
    """docs/settings.md."""
    rules = Rules(Settings)
    _complete(rules)
    parts = [INTRODUCTION]
    for kind, title in SECTIONS.items():
        without = {Arm: Recipe, Study: Defaults, External: Defaults}.get(kind)
        parts.append(_section(title, kind, _rows(kind, rules, without=without)))
    for architecture in ARCHITECTURES:
        options = options_of(architecture)
        title = f"model.options of {architecture}"
        parts.append(_section(title, options, _rows(options, Rules(options))))
    return "\n".join(parts)


def _complete(rules: Rules) -> None:
    """Say of each key what it does, and of no block that all its keys must stand in one place."""
    partial = PARTIAL | set(_kinds(Recipe, set())) - {Only}
    for kind in _kinds(Settings, set()):
        told, definition = sentences(kind), rules.definitions[kind.__name__]
        for name, rule in definition.get("properties", {}).items():
            rule.pop("title", None)
            rule |= {"description": told[name]} if name in told else {}
            if rule.get("default", "") is None and "anyOf" not in rule:
                del rule["default"]  # may be left out, but not be null
            if "patternProperties" in rule:
                rule["additionalProperties"] = False
        if kind in partial:
            definition.pop("required", None)


def sentences(kind: Any) -> dict[str, str]:
    """What is said of each key of a block: the text below its declaration."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        if "DECLARED" in vars(base):
            found |= sentences(vars(base)["DECLARED"])
        elif base.__module__ != "types":  # written, not made
            block: Any = ast.parse(inspect.getsource(base)).body[0]
            for field, text in pairwise(block.body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    name = ast.unparse(field.target).rstrip("_")
                    found[name] = " ".join(ast.literal_eval(text.value).split())
    return found


def _kinds(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """All blocks that a declaration holds, and itself."""
    if dataclasses.is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        yield kind
        hints: Iterable[Any] = typing.get_type_hints(kind).values()
    else:
        hints = typing.get_args(kind)
    for hint in hints:
        yield from _kinds(hint, seen)


def _section(title: str, kind: Any, rows: Iterator[str]) -> str:
    head = "| key | value | default | |\n| --- | --- | --- | --- |"
    return "\n".join([f"## {title}", "", " ".join(kind.__doc__.split()), "", head, *rows, ""])


def _rows(kind: Any, rules: Rules, prefix: str = "", without: Any = None) -> Iterator[str]:
    """A row a key, and one for each key of the blocks in it that have no section of their own."""
    told, hints = sentences(kind), typing.get_type_hints(kind)
    definition = rules.definitions.get(kind.__name__, rules.whole)
    for name, rule in definition["properties"].items():
        if without is not None and name in without.__dataclass_fields__:
            continue
        path, blocks = f"{prefix}{name}", _blocks(hints[name if name in hints else f"{name}_"])
        apart = [SECTIONS[each] for each in blocks if each in SECTIONS]
        if apart or not blocks or "anyOf" in rule:
            value = f"see {', '.join(apart)}" if apart else rules.words(rule)
            has_default = "default" in rule and not apart
            default = f"`{json.dumps(rule['default'])}`" if has_default else ""
            yield f"| `{path}` | {value} | {default} | {told.get(name, '')} |"
        for each in blocks:
            if each not in SECTIONS:
                yield from _rows(each, rules, f"{path}.")


def _blocks(hint: Any) -> list[Any]:
    """The blocks that a value may be, or be a mapping of."""
    if dataclasses.is_dataclass(hint):
        return [hint]
    return [block for each in typing.get_args(hint) for block in _blocks(each)]


def main() -> None:
    """Write both files."""
    write_text(schema_text(), SCHEMA)
    write_text(document(), DOCUMENT)


if __name__ == "__main__":
    command.run(main)
