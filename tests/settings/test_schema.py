"""What is made of the declarations of settings is up to date, and means the same as they do."""

import inspect
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
import yaml

from triage_workflow.params import Params, documents

from triage.errors import UserError
from triage.models import ARCHITECTURES, options_of

PRESETS = sorted(Path("presets").glob("*.yaml"))
SCHEMA = jsonschema.Draft202012Validator(documents.schema())
HINT = "run python -m triage_workflow.params.documents"


def test_what_is_made_of_the_declarations_is_up_to_date():
    assert documents.DOCUMENT.read_text() == documents.document(), HINT
    assert documents.SCHEMA.read_text() == documents.schema_text(), HINT


def test_every_key_says_what_it_does():
    for name, definition in documents.schema()["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            inner = [rule, *rule.get("anyOf", [])]
            said = "description" in rule or any("$ref" in each for each in inner)
            assert said or key in ("arms", "source"), f"{name}.{key}"


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_editors_find_nothing_wrong_with_a_preset(path):
    SCHEMA.validate(yaml.safe_load(path.read_text()))
    assert path.read_text().startswith(f"# yaml-language-server: $schema={documents.SCHEMA}\n")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("recipe.epochs", 0),
        ("recipe.epoks", 1),
        ("recipe.input", {"slices": [1]}),
        ("studies.mhist.training.arms.vit.optimizer", {"lr": -1}),
        ("studies.mhist.training.arms.vit.model.options", {"patches": 8}),
        ("studies.mhist.training.arms.Vit", {}),
        ("studies.mhist.seeds", [1, 1]),
        ("defaults.split", {"k": 1}),
        ("phantoms.mhist.size", 1),
        ("pretrained.resnet18_pretext.source", "web"),
    ],
)
def test_editors_refuse_what_the_workflow_refuses(path, value):
    content = yaml.safe_load(Path("presets/demo.yaml").read_text())
    *blocks, key = path.split(".")
    block = content
    for name in blocks:
        block = block[name]
    block[key] = value
    assert not SCHEMA.is_valid(content)
    with pytest.raises(UserError):
        Params(content)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_options_of_an_architecture_are_its_builders_keywords(architecture):
    builder = import_module(ARCHITECTURES[architecture]).build
    found = {
        name: parameter.default
        for name, parameter in inspect.signature(builder).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    declared = options_of(architecture).__dataclass_fields__.values()
    assert {each.name: each.default for each in declared} == found
