"""What settings may be: the bounds of their values, beside their types.

``triage.settings`` reads values that were checked before, and takes no notice of these. Where
``params.yaml`` is read, pydantic holds to them; it is not imported here, for a step to start fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt, MinLen

Schema = dict[str, Any]


@dataclass(frozen=True)
class Matching:
    """Text that a regular expression matches."""

    pattern: str

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Schema]) -> Schema:
        return {**handler(kind), "pattern": self.pattern}


class OneOf:
    """One of some names, such as those of a table."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Schema]) -> Schema:
        return {"type": "literal", "expected": self.names}


class Regex:
    """Text that is a regular expression."""

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Schema]) -> Schema:
        return _checked(handler(kind), re.compile, {"format": "regex"})


class Unique:
    """A list in which nothing stands twice."""

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Schema]) -> Schema:
        return _checked(handler(kind), _refuse_repetition, {"uniqueItems": True})


class Ordered:
    """Numbers of which none is less than the one before."""

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Schema]) -> Schema:
        return _checked(handler(kind), _refuse_disorder, {"ordered": True})


def _refuse_disorder(values: tuple[float, ...]) -> None:
    if list(values) != sorted(values):
        raise ValueError("not in order")


def _refuse_repetition(values: tuple[Any, ...]) -> None:
    if len(set(values)) < len(values):
        raise ValueError("something stands twice")


def _checked(schema: Schema, check: Callable[[Any], object], rule: Schema) -> Schema:
    """``schema`` for values that pass a check, which JSON Schema knows as ``rule``."""

    def checked(value: Any) -> Any:
        try:
            check(value)
        except re.error as error:
            raise ValueError(str(error)) from error
        return value

    return {
        "type": "function-after",
        "function": {"type": "no-info", "function": checked},
        "schema": schema,
        "metadata": {"pydantic_js_updates": rule},
    }


Count = Annotated[int, Ge(1)]
Natural = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
Dropout = Annotated[float, Ge(0), Lt(1)]
Degrees = Annotated[float, Ge(0), Le(180)]
Pixels = Annotated[int, Ge(32), Le(4096)]
Thumbnail = Annotated[int, Ge(1), Le(64)]  # pixels a side
Bins = Annotated[int, Ge(2), Le(256)]
Trees = Annotated[int, Ge(1), Le(10000)]
Depth = Annotated[int, Ge(1), Le(16)]
Cut = Annotated[int, Ge(8)]  # of a picture, in pixels
Text = Annotated[str, MinLen(1)]
Name = Annotated[str, Matching("^[a-z][a-z0-9_]*$")]  # a part of paths
