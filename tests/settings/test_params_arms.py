"""Arms of params.yaml: how they inherit, and which networks fit them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.params import Params, canonical

from demo_params import COMMITTED, changed
from triage.errors import UserError


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
