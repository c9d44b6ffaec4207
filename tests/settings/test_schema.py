"""The schema and the dataclasses of the scripts know the same settings."""

import dataclasses
import inspect
import types
import typing
from importlib import import_module

import pytest

from triage_workflow.params.schema import schema

from triage.models import ARCHITECTURES
from triage.training.settings import Recipe, Sequence

DEFINITIONS = schema()["$defs"]


def keys(kind: object) -> dict:
    """The fields of a dataclass, nested."""
    found = {}
    for field in dataclasses.fields(kind):
        hint = typing.get_type_hints(kind)[field.name]
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(each for each in typing.get_args(hint) if each is not type(None))
        found[field.name] = keys(hint) if dataclasses.is_dataclass(hint) else None
    return found


def declared(definition: dict) -> dict | None:
    if "properties" not in definition:
        return None
    return {key: declared(each) for key, each in definition["properties"].items()}


@pytest.mark.parametrize(("name", "kind"), [("recipe", Recipe), ("sequence", Sequence)])
def test_every_declared_key_is_read_and_every_read_key_declared(name, kind):
    assert declared(DEFINITIONS[name]) == keys(kind)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_options_of_an_architecture_are_its_builders_keywords(architecture):
    module = import_module(ARCHITECTURES[architecture])
    allowed = {
        name
        for name, parameter in inspect.signature(module.build).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert set(DEFINITIONS["options"][module.__name__.rpartition(".")[2]]["properties"]) == allowed
