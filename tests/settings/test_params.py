"""params.yaml: what is accepted, how arms inherit, and how mistakes are explained."""

import contextlib
import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.params import Params, canonical
from triage_workflow.params.declared import defaults
from triage_workflow.steps import Steps

from triage.errors import UserError
from triage.training.settings import Recipe

DEMO = Path("presets/demo.yaml")
COMMITTED = yaml.safe_load(DEMO.read_text())


def changed(path: str, value: object) -> dict:
    """The committed settings with one key set."""
    content = copy.deepcopy(COMMITTED)
    *blocks, key = path.split(".")
    block = content
    for name in blocks:
        block = block.setdefault(name, {})
    block[key] = value
    return content


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


def leaves(block: object, path: tuple = ()) -> list[tuple]:
    if isinstance(block, dict):
        return [leaf for key, each in block.items() for leaf in leaves(each, (*path, key))]
    return [path]


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


def at(content, path):
    """The block that holds the key at the end of ``path``."""
    for name in path[:-1]:
        content = content[name]
    return content


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


def test_an_arm_extends_another_and_overrides_single_keys():
    content = changed(
        "studies.braintriage.training.arms.longer", {"extends": "resnet18", "epochs": 99}
    )
    arms = Params(content).arms("braintriage")
    assert arms["longer"].recipe["epochs"] == 99
    assert arms["longer"].recipe | {"epochs": 0} == arms["resnet18"].recipe | {"epochs": 0}


def test_a_sequence_arm_sees_what_its_network_saw():
    content = changed("studies.braintriage.training.arms.resnet18.input", {"slices": [5, 9]})
    arms = Params(content).arms("braintriage")
    assert arms["lstm"].recipe["input"]["slices"] == [5, 9]
    assert arms["finetuned"].recipe["model"] == arms["resnet18"].recipe["model"]


def test_a_sequence_arm_needs_a_network_with_features():
    path = "studies.braintriage.training.arms.resnet18"
    assert Params(changed(f"{path}.model", {"architecture": "torchvision", "pretrained": "none"}))
    with pytest.raises(UserError, match=r"lstm\.from: is resnet18, whose fcnn gives no feature"):
        Params(changed(f"{path}.model", {"architecture": "fcnn", "pretrained": "none"}))


def test_an_arm_without_a_network_reads_only_what_it_needs():
    arms = Params(COMMITTED).arms("pneumonia")
    floor = arms["logistic_regression"]
    assert floor.is_floor
    assert not arms["cnn5"].is_floor
    path = "studies.pneumonia.training.recipe"
    for key, value in {"epochs": 99, "optimizer": {"lr": 0.5}, "augment": {"flip": 0.5}}.items():
        changed_arms = Params(changed(f"{path}.{key}", value)).arms("pneumonia")
        assert changed_arms["logistic_regression"] == floor
        assert changed_arms["cnn5"] != arms["cnn5"]
    cropped = Params(changed(f"{path}.input", {"crop": 48, "resize": 64})).arms("pneumonia")
    assert cropped["logistic_regression"].recipe["input"]["crop"] == 48


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": 3}, r"forest\.epochs: is for networks: random_forest learns without"),
        ({"optimizer": {"lr": 0.1}}, r"forest\.optimizer: is for networks"),
        ({"extends": "resnet18"}, r"forest\.epochs: is for networks(.|\n)*extend no network's arm"),
        (
            {"model": {"architecture": "random_forest", "pretrained": "resnet18_pretext"}},
            r"model\.pretrained: 'resnet18_pretext' is not allowed",
        ),
        (
            {"model": {"architecture": "random_forest", "options": {"depth": 40}}},
            r"options\.depth: 40 is not allowed",
        ),
    ],
)
def test_settings_of_networks_are_refused_without_one(settings, said):
    forest = {"model": {"architecture": "random_forest"}} | settings
    with pytest.raises(UserError, match=said):
        Params(changed("studies.pneumonia.training.arms.forest", forest))


def test_a_search_may_try_values_without_a_network():
    search = {"mode": "each", "values": {"model.options.trees": [10, 50]}}
    forest = {"model": {"architecture": "random_forest"}, "search": search}
    arms = Params(changed("studies.pneumonia.training.arms.forest", forest)).arms("pneumonia")
    assert arms["forest_trees50"].recipe["model"]["options"] == {"trees": 50}
    search["values"] = {"optimizer.lr": [0.1]}
    with pytest.raises(UserError, match="optimizer: is for networks"):
        Params(changed("studies.pneumonia.training.arms.forest", forest))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            {"architecture": "torchvision", "options": {"network": "densenet-121"}},
            r"cnn5\.model\.options\.network: 'densenet-121' is no network(.|\n)*densenet121",
        ),
        (
            {"architecture": "torchvision", "options": {"network": "inception_v3"}},
            r"network: is too small for 64 pixels(.|\n)*at least 75 a side",
        ),
        (
            {"architecture": "monai", "options": {"network": "resnet18"}},
            r"architecture: monai is for whole volumes, and images\.mode is grey",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused_before_any_job(model, said):
    with pytest.raises(UserError, match=said):
        Params(changed("studies.pneumonia.training.arms.cnn5.model", model))


def test_weights_may_be_fetched():
    content = changed(
        "studies.mhist.training.arms.vit.model",
        {"architecture": "resnet50", "pretrained": "fetched"},
    )
    content["pretrained"]["fetched"] = {"source": "download", "architecture": "resnet50"}
    params = Params(content)
    assert params.content["pretrained"]["fetched"]["weights"] == "DEFAULT"
    content["pretrained"]["fetched"]["architecture"] = "resnet34"
    with pytest.raises(UserError, match="none, or weights of resnet50: none"):
        Params(content)


def test_a_mirror_is_of_torchvisions_files():
    content = changed(
        "studies.mhist.training.arms.vit.model", {"architecture": "timm", "pretrained": "fetched"}
    )
    block = {"source": "download", "architecture": "timm"}
    content["pretrained"]["fetched"] = block
    assert Params(content)
    content["pretrained"]["fetched"] = block | {"mirror": "https://example.org"}
    with pytest.raises(UserError, match=r"pretrained\.fetched\.mirror: is for torchvision's files"):
        Params(content)


def test_pretext_weights_are_of_the_same_network_of_a_library():
    path = "studies.braintriage.training.arms.resnet18.model"
    model = {"architecture": "torchvision", "options": {}, "pretrained": "named"}
    content = changed(path, model)
    pretext = content["pretrained"]["resnet18_pretext"]
    content["pretrained"]["named"] = pretext | {"architecture": "torchvision", "options": {}}
    assert Params(content)
    model["options"]["network"] = "densenet121"
    with pytest.raises(UserError, match="none, or weights of torchvision densenet121: none"):
        Params(content)


def test_a_search_is_an_arm_for_each_value():
    values = {"optimizer.lr": [0.1, 0.01], "epochs": [1, 2]}
    search = {"extends": "resnet18", "search": {"mode": "each", "values": values}}
    arms = Params(changed("studies.braintriage.training.arms.tuned", search)).arms("braintriage")
    tuned = [name for name in arms if name.startswith("tuned")]
    assert tuned == ["tuned_lr0_1", "tuned_lr0_01", "tuned_epochs1", "tuned_epochs2"]
    assert arms["tuned_lr0_01"].recipe["optimizer"]["lr"] == 0.01
    assert {arms[name].search for name in tuned} == {"tuned"}


def test_a_grid_is_an_arm_for_each_combination():
    values = {"optimizer.lr": [0.1, 0.01], "model.options.dropout": [0, 0.5]}
    search = {"extends": "resnet18", "search": {"mode": "grid", "values": values}}
    arms = Params(changed("studies.braintriage.training.arms.tuned", search)).arms("braintriage")
    assert len([name for name in arms if name.startswith("tuned")]) == 4
    assert arms["tuned_lr0_1_dropout0_5"].recipe["model"]["options"] == {
        "hidden": [128],
        "dropout": 0.5,
    }


def test_an_ensemble_has_the_seeds_that_its_members_share():
    content = changed("studies.braintriage.ensembles", {"both": ["resnet18", "lstm"]})
    content["studies"]["braintriage"]["training"]["arms"]["resnet18"]["seeds"] = [1, 2, 3]
    runs = list(Params(content).runs("braintriage", "both"))
    assert [(run.stage, run.seed) for run in runs] == [("ensemble", 1)]


def over(how: str, **changes: object) -> dict:
    """A study of two folds and two seeds, with an ensemble over them."""
    content = changed("studies.braintriage.ensembles", {"whole": {"arms": ["resnet18"]}})
    study = content["studies"]["braintriage"]
    study["ensembles"]["whole"]["over"] = how
    study |= {"folds": [0, 2], "split": {"test": "source", "validation": "fold"}}
    study["training"]["arms"]["resnet18"]["seeds"] = [1, 5]
    return {**content, "studies": {**content["studies"], "braintriage": study | changes}}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("folds", {("all", 1): [(0, 1), (2, 1)], ("all", 5): [(0, 5), (2, 5)]}),
        ("seeds", {(0, "all"): [(0, 1), (0, 5)], (2, "all"): [(2, 1), (2, 5)]}),
        ("runs", {("all", "all"): [(0, 1), (0, 5), (2, 1), (2, 5)]}),
    ],
)
def test_an_ensemble_may_be_one_predictor_of_folds_and_seeds(how, expected):
    params = Params(over(how))
    found = {}
    for run in params.runs("braintriage", "whole"):
        assert run.name == f"fold{run.fold}-seed{run.seed}"
        assert params.run("braintriage", "whole", str(run.fold), str(run.seed)) == run
        found[run.fold, run.seed] = [(each.fold, each.seed) for each in params.members(run)]
        told = json.loads(Steps(params).of("evaluate", run)["settings"])["members"]
        assert told == [
            f"resnet18/fold{fold}-seed{seed}" for fold, seed in found[run.fold, run.seed]
        ]
        asked = [Steps(params).of("average", run, part)["settings"] for part in ("val", "test")]
        assert ["true" in each for each in asked] == [how != "seeds", False]
    assert found == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (over("folds", folds=[0]), "there is only one of folds"),
        (over("seeds", folds=[0]), ""),
        (over("folds", split={"test": "fold"}), "tested on what it has learnt"),
        (over("runs", split={"leave_out": "site"}), "tested on what it has learnt"),
        (over("seeds", split={"test": "fold"}), ""),
        (over("parts"), "whole.over: 'parts' is not allowed"),
    ],
)
def test_an_ensemble_is_not_tested_on_what_it_has_learnt(content, said):
    if not said:
        Params(content)
        return
    with pytest.raises(UserError) as error:
        Params(content)
    assert said in str(error.value)
    assert "studies.braintriage.ensembles.whole" in str(error.value)


def test_an_ensemble_over_folds_has_cases_that_no_member_learnt():
    content = over("folds")
    arms = content["studies"]["braintriage"]["training"]["arms"]
    arms["resnet18"] |= {"train_on": ["train", "val"], "select": {"by": "last"}}
    with pytest.raises(UserError, match="resnet18 trains on its validation part too"):
        Params(content)


def test_flips_are_of_predictions_and_train_nothing_anew():
    content = changed("studies.braintriage.ensembles", {"both": ["resnet18", "lstm"]})
    path = "studies.braintriage.training.arms.resnet18.predict"
    block = changed(path, {"flips": ["horizontal"]})["studies"]["braintriage"]["training"]
    plain = Params(copy.deepcopy(content))
    content["studies"]["braintriage"]["training"] = block
    flipped, before = Steps(Params(content)), Steps(plain)
    told = {"resnet18": {"resnet18": ["horizontal"]}, "both": {"resnet18": ["horizontal"]}}
    for run in plain.runs("braintriage"):
        if run.stage != "ensemble":
            assert flipped.of("train", run) == before.of("train", run)
            asked = json.loads(flipped.of("predict_cases", run)["settings"])
            assert asked == {"flips": ["horizontal"] * (run.arm == "resnet18")}
        found = json.loads(flipped.of("evaluate", run)["settings"])
        assert found["flips"] == told.get(run.arm, {})
    with pytest.raises(UserError, match="flips"):
        Params(changed(path, {"flips": ["sideways"]}))


def test_arms_do_not_extend_in_circles():
    content = changed("studies.braintriage.training.arms.resnet18.extends", "resnet18")
    with pytest.raises(UserError, match="extends 'resnet18'"):
        Params(content)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_canonical_json_ignores_the_order_of_keys(value):
    def reversed_keys(each):
        if isinstance(each, dict):
            return {key: reversed_keys(each[key]) for key in reversed(list(each))}
        return [reversed_keys(item) for item in each] if isinstance(each, list) else each

    assert canonical(value) == canonical(reversed_keys(value))


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
