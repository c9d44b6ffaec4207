"""YAML that is bounded before anything is made of it.

A few lines of YAML can stand for more than fits into memory, by names for blocks of names for
blocks, and can be nested more deeply than the parser can follow.
"""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 50
MAX_VALUES = 100_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, loader: Any = _Loader) -> Any:
    """What YAML text holds. Raises yaml.YAMLError where it is none, too deep or too large."""
    _check(text)
    return yaml.load(text, loader)  # a safe one


def _check(text: str) -> None:
    sizes: dict[str, int] = {}  # of what has a name, by the name
    open_: list[tuple[str | None, int]] = [(None, 0)]  # name and size of the blocks around
    for event in yaml.parse(text, _Loader):
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, 0))
            if len(open_) > MAX_DEPTH:
                raise _refusal(event, f"blocks are nested more than {MAX_DEPTH} deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            name, size = open_.pop()
            sizes |= {name: size} if name else {}
        elif isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(event.anchor), 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes |= {event.anchor: 1} if event.anchor else {}
        else:
            continue
        name, above = open_.pop()
        open_.append((name, above + size))
        if above + size > MAX_VALUES:
            raise _refusal(event, f"it stands for more than {MAX_VALUES} values")


def _refusal(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
