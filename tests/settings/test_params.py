"""params.yaml: which values are accepted, and what is filled in."""

import copy
from pathlib import Path

import pytest

from triage_workflow.params import Params
from triage_workflow.params.declared import defaults

from demo_params import COMMITTED, DEMO, at, changed, leaves
from triage.errors import UserError
from triage.training.settings import Recipe


def test_the_presets_are_valid():
    for path in Path("presets").glob("*.yaml"):
        assert Params.read(path).studies


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("recipe.epoks", 3, ["recipe: unknown key epoks", "did you mean epochs?"]),
        ("recipe.epochs", 0, ["recipe.epochs: 0 is not allowed", "at least 1"]),
        ("recipe.epochs", 2.5, ["recipe.epochs: 2.5", "a whole number"]),
        ("recipe.optimizer.lr", "fast", ["recipe.optimizer.lr: 'fast'", "a number above 0"]),
        ("recipe.optimizer.name", "adamn", ["'adamn'", "one of adam, adamw, sgd"]),
        ("studies.braintriage.folds", [9], ["folds: fold 9", "folds are 0 to 3"]),
        ("studies.braintriage.index.group", "(", ["index.group: '('", "regex"]),
        ("studies.braintriage.split.k", 2, ["split.k", "use at least 3"]),
        ("studies.braintriage.submission.arm", "lsmt", ["submission.arm: 'lsmt'", "lstm"]),
        (
            "studies.braintriage.training.arms.resnet18.model.options",
            {"hiden": [3]},
            ["training.arms.resnet18.model.options: unknown key hiden", "did you mean hidden?"],
        ),
        (
            "studies.braintriage.training.sequence.arms.lstm.from",
            "resnet",
            ["training.sequence.arms.lstm.from: 'resnet'", "one of resnet18"],
        ),
        (
            "studies.braintriage.training.arms.resnet18.input",
            {"slices": [4, 99]},
            ["arms.resnet18.input.slices", "at least 16 slices"],
        ),
        (
            "studies.braintriage.images.mode",
            "grey",
            ["braintriage.images.mode: grey does not fit index.reader: volumes", "-> volume"],
        ),
        (
            "studies.mhist.images.mode",
            "volume",
            ["mhist.images.mode: volume does not fit index.reader: annotations", "one of grey"],
        ),
        ("studies.pneumonia.images.mode", "rgb", None),
        ("studies.braintriage.raw", "data/braintriage/phantom/", None),
        ("recipe.optimizer.lr", "1e-4", None),
    ],
)
def test_values_are_checked(path, value, expected):
    content = changed(path, value)
    if expected is None:
        assert Params(content)
        return
    with pytest.raises(UserError) as caught:
        Params(content)
    for text in expected:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "block"),
    [("phantoms", COMMITTED["phantoms"]["mhist"]), ("pretrained", COMMITTED["pretrained"])],
)
def test_what_nobody_needs_is_refused_since_dvc_would_make_it(kind, block):
    content = copy.deepcopy(COMMITTED)
    content["studies"] = {"pneumonia": content["studies"]["pneumonia"]}
    content["phantoms"] = {"pneumonia": content["phantoms"]["pneumonia"]}
    assert Params(content)
    if kind == "phantoms":
        content["phantoms"]["mhist"] = block
    else:
        content["pretrained"]["other"] = block["resnet18_pretext"]
    name = "mhist" if kind == "phantoms" else "other"
    with pytest.raises(UserError, match=rf"{kind}\.{name}: no .*\n.*take the block out"):
        Params(content)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("model.options.size", 32, r"size is 32, its pictures have 64 pixels"),
        ("input.crop", 200, r"200 pixels can't be cut from 64"),
        ("input.slices", [0, 2], r"a picture has no slices"),
        ("input", {"normalise": "fixed", "mean": [1.0] * 3, "std": [1.0] * 3}, "3 number"),
        ("augment.blur", {"probability": 0.5, "kernel": [4, 3], "sigma": [1, 2]}, "no middle"),
        ("augment.blur.sigma", [2, 1], r"\[2, 1\] is not allowed\n.*a list of 2, the least first"),
        ("augment.gamma", {"probability": 0.5, "range": [1.5, 0.7]}, "list of 2, the least first"),
    ],
)
def test_pictures_fit_what_is_done_with_them(path, value, said):
    arm = "studies.pneumonia.training.arms.cnn5"
    with pytest.raises(UserError, match=said) as caught:
        Params(changed(f"{arm}.{path}", value))
    assert f"{arm}." in str(caught.value)


def test_a_study_without_training_says_so_and_not_another():
    content = copy.deepcopy(COMMITTED)
    del content["studies"]["mhist"]["training"]
    with pytest.raises(UserError, match=r"studies.mhist: missing key training"):
        Params(content)


@pytest.mark.parametrize("key", ["raw", "classes"])
def test_defaults_have_nothing_that_is_each_studys_own(key):
    content = copy.deepcopy(COMMITTED)
    content["defaults"][key] = content["studies"]["mhist"][key]
    with pytest.raises(UserError, match=f"defaults.{key}: is each study's own"):
        Params(content)


@pytest.mark.parametrize("value", [2.0, "1e0", True])
def test_a_whole_number_is_written_as_one(value):
    with pytest.raises(UserError, match=r"recipe.epochs: .* is not allowed\n.* a whole number"):
        Params(changed("recipe.epochs", value))


def test_options_of_an_architecture_that_is_named_elsewhere_are_allowed():
    content = copy.deepcopy(COMMITTED)
    recipe = content["studies"]["braintriage"]["training"].setdefault("recipe", {})
    recipe.setdefault("model", {}).setdefault("options", {})["hidden"] = [64]
    recipe["model"].pop("architecture", None)
    assert Params(content).arms("braintriage")["resnet18"].recipe["model"]["options"]["hidden"]


def test_a_key_that_stands_twice_is_refused_as_dvc_does(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(DEMO.read_text() + "\npretrained: {}\n")
    with pytest.raises(UserError, match=r"stands twice in one block(.|\n)*line \d+"):
        Params.read(path)


@pytest.mark.parametrize("path", leaves(defaults(Recipe), ("recipe",)), ids=".".join)
def test_a_key_that_is_left_out_is_as_declared(path):
    declared = defaults(Recipe)
    content = COMMITTED | {"recipe": copy.deepcopy(declared)}
    del at(content, path)[path[-1]]
    assert Params(content).content["recipe"] == declared


@pytest.mark.parametrize("path", ["raw", "classes", "training", "index.reader"])
def test_what_has_no_default_may_not_be_missing(path):
    content = copy.deepcopy(COMMITTED)
    keys = ("studies", "mhist", *path.split("."))
    del at(content, keys)[keys[-1]]
    with pytest.raises(UserError, match=rf"studies\.mhist.*: missing key {keys[-1]}"):
        Params(content)


@pytest.mark.parametrize("key", ["phantoms", "pretrained", "studies"])
def test_what_dvc_reads_has_to_be_there(key):
    with pytest.raises(UserError, match=f"params.yaml: missing key {key}"):
        Params({name: block for name, block in COMMITTED.items() if name != key})
