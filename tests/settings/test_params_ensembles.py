"""Searches and ensembles of params.yaml, and what an ensemble may be tested on."""

import copy
import json

import pytest

from triage_workflow.params import Params
from triage_workflow.steps import Steps

from demo_params import changed
from triage.errors import UserError


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
