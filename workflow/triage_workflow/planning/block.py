"""The block of a study as YAML, with a reason beside each value."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w .+-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_WIDTH = 100
_SHOWN = 8


@dataclass(frozen=True)
class Because:
    """A value and why it is so."""

    value: Any
    reason: str = ""


Block = Mapping[str, Any]  # of Because, plain values, and blocks


def settings(block: Block) -> dict[str, Any]:
    """The block without its reasons."""
    found = {}
    for key, value in block.items():
        value = value.value if isinstance(value, Because) else value
        found[key] = settings(value) if isinstance(value, Mapping) else value
    return found


def yaml_of(name: str, block: Block) -> str:
    """The block of the study ``name``, as it stands below ``studies:``."""
    return "\n".join(["", f"  {name}:", *_lines(block, 4)]) + "\n"


def _lines(block: Block, indent: int) -> Iterator[str]:
    for key, value in block.items():
        value, reason = (value.value, value.reason) if isinstance(value, Because) else (value, "")
        start = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(value, Mapping) and value:
            yield start + (f"  # {reason}" if reason else "")
            yield from _lines(value, indent + 2)
            continue
        line = f"{start} {_flow(value)}"
        if not reason:
            yield line
        elif len(line) + len(reason) + 4 <= _WIDTH:
            yield f"{line}  # {reason}"
        else:
            yield f"{' ' * indent}# {reason}"
            yield line


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A scalar as YAML reads it back; text in quotes where it would be something else."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value == value.strip():
            return value
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        text = f"{value:g}"
        return re.sub(r"^(\d+)e", r"\1.0e", text)
    return json.dumps(value)


def listed(values: Counter[str]) -> str:
    """The commonest values with their numbers, in words."""
    shown = [f"{name or 'nothing'} {count}" for name, count in values.most_common(_SHOWN)]
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(shown) + more
