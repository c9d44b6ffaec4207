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


# Blocks of a recipe that may be null, each whole.
BLOCKS = {
    "mix": {"method": "mixup", "probability": 1.0, "alpha": 0.2},
    "augment": {
        "perspective": {"probability": 0.5, "distortion": 0.5},
        "affine": {
            "probability": 0.5,
            "degrees": 10.0,
            "translate": 0.1,
            "scale": [0.9, 1.1],
            "shear": 5.0,
        },
        "crop": {"probability": 1.0, "scale": [0.8, 1.0]},
        "blur": {"probability": 0.5, "kernel": [5, 5], "sigma": [0.1, 2.0]},
        "jitter": {
            "probability": 0.5,
            "brightness": 0.1,
            "contrast": 0.1,
            "saturation": 0.1,
            "hue": 0.1,
        },
        "gamma": {"probability": 0.5, "range": [0.7, 1.5]},
        "noise": {"probability": 0.5, "std": 0.05},
    },
}


def single_keys(block):
    """The block with each of its keys alone, in the blocks that hold it."""
    for key, value in block.items():
        if isinstance(value, dict):
            yield from ({key: each} for each in single_keys(value))
        else:
            yield {key: value}


@pytest.mark.parametrize("preset", ["demo", "published"])
def test_editors_take_one_key_of_a_block_that_stands_elsewhere(preset):
    content = yaml.safe_load(Path(f"presets/{preset}.yaml").read_text())
    content.setdefault("recipe", {}).update(BLOCKS)
    arms = content["studies"]["mhist"]["training"]["arms"]
    arms |= {f"single{i}": each for i, each in enumerate(single_keys(BLOCKS))}
    SCHEMA.validate(content)
    resolved = Params(content).arms("mhist")
    assert resolved["single2"].recipe["mix"] == BLOCKS["mix"]
    stage = content["studies"]["mhist"]["training"]
    stage["recipe"] = stage.get("recipe", {}) | {"mix": {"alpha": 0.4}}
    SCHEMA.validate(content)
    mix = Params(content).arms("mhist")["single0"].recipe["mix"]
    assert mix == BLOCKS["mix"] | {"alpha": 0.4}


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
