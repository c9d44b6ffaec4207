"""Mistakes in params.yaml are explained."""

import contextlib
import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.params import Params

from demo_params import COMMITTED, at, changed, leaves
from triage.errors import UserError


def test_the_nearest_setting_counts():
    content = copy.deepcopy(COMMITTED)
    training = content["studies"]["mhist"]["training"]
    places = [content["recipe"], training["recipe"], training["arms"]["resnet18"]]
    for momentum, place in enumerate(places, start=1):
        place.setdefault("optimizer", {})["momentum"] = momentum / 10
        found = Params(content).arms("mhist")["resnet18"].recipe["optimizer"]
        assert found == {**found, "name": "adam", "lr": 1e-3, "momentum": momentum / 10}


def test_one_key_of_an_optional_block_may_be_overridden():
    content = copy.deepcopy(COMMITTED)
    training = content["studies"]["mhist"]["training"]
    training["arms"]["resnet18"].setdefault("augment", {})["crop"] = {"scale": [0.5, 1]}
    with pytest.raises(UserError, match=r"resnet18.*augment.crop: missing key probability"):
        Params(content)
    training["recipe"].setdefault("augment", {})["crop"] = {"probability": 1, "scale": [0.8, 1]}
    found = Params(content).arms("mhist")["resnet18"].recipe["augment"]["crop"]
    assert found == {"probability": 1, "scale": [0.5, 1]}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "pretrained.resnet18_pretext.source",
            "web",
            "'web' is not allowed.*\n.*imagenet, pretext",
        ),
        ("pretrained.resnet18_pretext.options", {"hidden": [0]}, "hidden.0: 0 is not allowed"),
        ("pretrained.Upper", {"source": "pretext"}, "'Upper' is not allowed\n.*text matching"),
        ("studies.mhist.seeds", [1, 1], r"seeds: \[1, 1\] is not allowed\n.*without repetition"),
        ("studies.mhist.seeds", None, "seeds: None is not allowed\n.*a list"),
        ("studies.mhist.training.recipe.train_on", ["val"], r"must be \[train\] or \[train, val\]"),
        ("studies.mhist.training.arms.resnet18.extends", None, "extends: None is not allowed"),
        (
            "studies.mhist.training.arms.resnet18.augment.blur",
            {"probability": 1, "kernel": [3, 3], "sigma": [1]},
            r"sigma: \[1\] is not allowed\n.*a list of 2",
        ),
        (
            "studies.mhist.training.arms.resnet18.input",
            {"slices": [1, "x"]},
            "or a mapping or null",
        ),
        ("phantoms.mhist", None, "phantoms.mhist: None is not allowed\n.*a mapping"),
        ("defaults", None, "defaults: None is not allowed"),
        ("recipe.optimizer", {"lr": float("inf")}, "lr: inf is not allowed"),
        (
            "studies.mhist.training.arms.resnet18.mix",
            {"method": "mixup", "probability": 1, "alpha": 0},
            r"mix.alpha: 0 is not allowed",
        ),
        (
            "studies.braintriage.training.sequence.arms.lstm.mix",
            {"method": "cutmix", "probability": 1, "alpha": 1},
            r"lstm\.mix\.method: cutmix is for pictures",
        ),
    ],
)
def test_a_mistake_is_explained(path, value, said):
    with pytest.raises(UserError, match=said):
        Params(changed(path, value))


# A name that is the user's own can't be misspelt, and any text is a regular expression or a name.
OWN = {"phantoms", "pretrained", "studies", "arms", "ensembles", "values"}
ALL_KEYS = [
    path for path in leaves(COMMITTED, ()) if not (OWN - {"pretrained"}).intersection(path[-2:-1])
]


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL_KEYS, ids=".".join)
def test_no_key_may_be_misspelt(path):
    content = copy.deepcopy(COMMITTED)
    block = at(content, path)
    block[f"{path[-1]}x"] = block.pop(path[-1])
    with pytest.raises(UserError, match=f"unknown key {path[-1]}x|missing key {path[-1]}"):
        Params(content)


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL_KEYS, ids=".".join)
@pytest.mark.parametrize("value", [{"a": {"b": 1}}, [[["x"]]], "a\nb", -1.5, float("nan")], ids=str)
def test_no_key_takes_a_value_of_another_kind(path, value):
    content = copy.deepcopy(COMMITTED)
    block = at(content, path)
    if isinstance(value, str) and (isinstance(block[path[-1]], str) or path[-1] == "group"):
        return  # text is allowed; whether there is such a thing is seen later
    block[path[-1]] = value
    with pytest.raises(UserError) as caught:
        Params(content)
    assert "params.yaml: " in str(caught.value)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_nonsense_is_explained_not_crashed_on(value):
    for path in ("recipe", "studies", "studies.braintriage", "phantoms.braintriage"):
        with contextlib.suppress(UserError):
            Params(changed(path, value))


def test_with_pseudonyms_a_folder_s_name_goes_nowhere():
    content = yaml.safe_load(Path("presets/demo.yaml").read_text())
    content["studies"]["mhist"]["raw"] = "/home/doctor/ward7"
    content["phantoms"].pop("mhist")
    assert Params(content).dataset("mhist") == "/home/doctor/ward7"
    content["pseudonyms"] = True
    assert Params(content).dataset("mhist") == "mhist"
    content["studies"]["mhist"]["dataset"] = "Polyps of 2026"
    assert Params(content).dataset("mhist") == "Polyps of 2026"


@pytest.mark.parametrize("name", ["mhist\n", "x; touch pwned", "../mhist", "\x1b[2J", "Mhist", ""])
def test_a_name_that_is_none_is_refused(name):
    content = yaml.safe_load(Path("presets/demo.yaml").read_text())
    content["studies"][name] = content["studies"].pop("mhist")
    with pytest.raises(UserError, match="is not allowed"):
        Params(content)
