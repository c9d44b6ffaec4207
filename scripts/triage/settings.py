"""Settings: JSON text into frozen dataclasses, strictly.

The workflow checks ``params.yaml`` against these declarations, bounds and all, by pydantic, and
hands each script the resolved block it reads, as one JSON object. Here that text becomes typed
objects; a key too many or too few is an error, so a script can read nothing that was not declared.
pydantic itself would take a script 0.1 s of its start, and twice that with pandas.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from triage.errors import UserError

T = TypeVar("T")


def parse(kind: type[T], text: str) -> T:
    """An instance of the dataclass ``kind`` from a JSON object.

    Raises UserError naming the key, the value and what is allowed.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"not valid JSON ({error})", where="--settings") from error
    return convert(kind, content, "settings")


def convert(kind: Any, value: Any, where: str) -> Any:
    """``value`` (plain JSON data) as ``kind``: a dataclass, container, literal or scalar."""
    origin = get_origin(kind)
    if origin is Annotated:
        return convert(get_args(kind)[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _convert_object(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(get_args(kind), value, where)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise _refusal(value, where, "one of " + ", ".join(map(str, get_args(kind))))
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        if value not in list(kind):
            raise _refusal(value, where, "one of " + ", ".join(kind))
        return kind(value)
    if origin is tuple:
        return _convert_tuple(get_args(kind), value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise _refusal(value, where, "a mapping")
        item = get_args(kind)[1]
        return {key: convert(item, each, f"{where}.{key}") for key, each in value.items()}
    return _convert_scalar(kind, value, where)


def _convert_object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _refusal(value, where, "a mapping")
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    if unknown := sorted(value.keys() - names):
        raise UserError(
            f"unknown setting(s) {', '.join(unknown)}",
            where=where,
            remedy=f"known are {', '.join(sorted(names))}",
        )
    if missing := sorted(_required(kind) - value.keys()):
        raise UserError(f"missing setting(s) {', '.join(missing)}", where=where)
    return kind(**{key: convert(hints[key], each, f"{where}.{key}") for key, each in value.items()})


def _required(kind: Any) -> set[str]:
    missing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    }


def _convert_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    refusals = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return convert(kind, value, where)
        except UserError as error:
            refusals.append(error)
    raise refusals[0]


def _convert_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refusal(value, where, "a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise _refusal(value, where, f"a list of {len(kinds)}")
    return tuple(
        convert(kind, each, f"{where}[{i}]")
        for i, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _convert_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise _refusal(value, where, {int: "a whole number", float: "a number"}.get(kind, kind))


def _refusal(value: Any, where: str, allowed: object) -> UserError:
    return UserError(f"{value!r} is not allowed", where=where, remedy=f"must be {allowed}")
