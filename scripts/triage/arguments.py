"""The command line of a script: the signature of its ``main``.

A parameter is an option of its name, one that is positional only is an argument without a name, and
a default makes either optional. The annotation says what it takes: a scalar, a ``Literal``, a tuple
of them, a path, a dataclass of settings (as JSON), or ``Arguments`` that several scripts share;
``Annotated[..., "text"]`` adds a word of help.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from triage.settings import parse

Paths = tuple[Path, ...]
CORES = os.cpu_count() or 1
_SCALARS = (str, int, float, bool, Path)


class Arguments:
    """What a dataclass of arguments that several scripts share inherits."""


class Repeated(str):
    """The help of an option that is given once for each value, and may stand before files."""


@dataclasses.dataclass(frozen=True)
class _Option:
    """A parameter of a function or dataclass, as the command line has it."""

    name: str
    kind: Any
    help: str | None
    default: Any
    is_named: bool

    @classmethod
    def of(cls, parameter: inspect.Parameter, hint: Any) -> _Option:
        words = None
        if get_origin(hint) is Annotated:
            hint, words = get_args(hint)
        if get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(each for each in get_args(hint) if each is not type(None))
        is_named = parameter.kind is not parameter.POSITIONAL_ONLY
        return cls(parameter.name, hint, words, parameter.default, is_named)

    @property
    def is_several(self) -> bool:
        return get_origin(self.kind) is tuple

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        is_required = self.default is inspect.Parameter.empty
        how: dict[str, Any] = {"help": self.help, "default": None if is_required else self.default}
        one = get_args(self.kind)[0] if self.is_several else self.kind
        if one is bool:
            how = {"action": "store_true", "help": self.help}
        elif get_origin(one) is Literal:
            how |= {"choices": get_args(one)}
        else:
            how |= {"type": one if one in _SCALARS else str}
        if self.is_several:
            how["nargs"] = "+" if is_required else "*"
            if isinstance(self.help, Repeated):
                how |= {"action": "extend", "nargs": 1}
                how["default"] = list(how["default"] or ())
        if self.is_named and one is not bool:
            how["required"] = is_required
        name = self.name.replace("_", "-")
        parser.add_argument(f"--{name}" if self.is_named else self.name, **how)

    def value(self, given: Any) -> Any:
        if self.is_several:
            return tuple(given)
        if given is None or self.kind in _SCALARS or get_origin(self.kind) is Literal:
            return given
        return parse(self.kind, given)


def _parameters(owner: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any]]:
    hints = typing.get_type_hints(owner, include_extras=True)
    for parameter in inspect.signature(owner).parameters.values():
        yield parameter, hints[parameter.name]


def _is_shared(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Arguments)


def _options(owner: Callable[..., Any]) -> Iterator[_Option]:
    for parameter, hint in _parameters(owner):
        if _is_shared(hint):
            yield from _options(hint)
        else:
            yield _Option.of(parameter, hint)


def parser(main: Callable[..., None]) -> argparse.ArgumentParser:
    """The options of ``main``, and those that every script has."""
    options = argparse.ArgumentParser(
        description=main.__globals__.get("__doc__"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--log", type=Path, help="also write messages to this file")
    options.add_argument("--threads", type=int, default=CORES)
    for option in _options(main):
        if option.name == "threads":
            options.set_defaults(threads=option.default)
        else:
            option.add_to(options)
    return options


def call(owner: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Call ``owner``, a function or dataclass, with what is given on the command line."""
    unnamed, named = [], {}
    for parameter, hint in _parameters(owner):
        if _is_shared(hint):
            named[parameter.name] = call(hint, given)
            continue
        option = _Option.of(parameter, hint)
        value = option.value(given[option.name])
        if option.is_named:
            named[option.name] = value
        else:
            unnamed.append(value)
    return owner(*unnamed, **named)
