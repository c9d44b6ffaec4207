"""The model card and the checklist: what the run knows, told rightly, and no more."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from triage_workflow.params.declared import defaults

import results_studies
import results_tree
from triage.data import attributes
from triage.errors import UserError
from triage.evaluation.chosen import chosen_run
from triage.evaluation.intervals import FIXED
from triage.evaluation.subgroups import members
from triage.evaluation.table import BY, OVER_FOLDS
from triage.files import read_rows
from triage.report.checklist import ANSWERED, FROM_RUN, OPEN, checklist
from triage.report.estimates import in_words
from triage.report.networks import Networks, Stage, read_networks
from triage.report.sections import Section, markdown
from triage.report.training import description, sentences
from triage.training.settings import Recipe

CHECKLISTS = results_tree.PROJECT / "workflow" / "report" / "checklists.yaml"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> results_tree.Tree:
    made = results_tree.Tree(tmp_path_factory.mktemp("card"), results_studies.LESIONS)
    results_tree.write_data(made)
    results_tree.write_runs(made)
    return made


def sections(tree: results_tree.Tree, name: str) -> dict[str, dict[str, Any]]:
    content = json.loads((tree.results / "card.json").read_text())
    return {each["title"]: each for each in content[name]}


def test_subgroups_are_measured_on_their_own_cases(tree: results_tree.Tree) -> None:
    section = sections(tree, "card")["Metrics by subgroup"]
    told = {row[0]: row[1:] for row in section["rows"]}
    assert {"women and girls", "men and boys"} < told.keys()
    winner = json.loads((tree.results / "winner.json").read_text())["arm"]
    model = sections(tree, "card")["Model"]["paragraphs"][0]
    run = next(run for run in ("fold0-seed1", "fold0-seed2") if f"{winner}, {run}" in model)
    predictions = read_rows(tree.results / "predictions" / winner / run / "test.csv")
    sex = {row["case"]: attributes.of(row)["sex"] for row in read_rows(tree.data / "manifest.csv")}
    women = [row for row in predictions if sex[row["case"]] == "F"]
    labels, scores = (
        np.array([float(row[name]) for row in women]) for name in ("label", "probability")
    )
    cases, auc, *_ = told["women and girls"]
    assert int(cases) == len(women) > 0
    if len(set(labels)) > 1:
        assert auc.startswith(f"{roc_auc_score(labels, scores):.3f}")
    else:
        assert auc.startswith("undefined")


def test_bands_of_age_hold_their_bounds() -> None:
    ages = {"a": "17.9", "b": "18", "c": "39", "d": "64.5", "e": "65", "f": "120", "g": ""}
    found = members(
        {"case": case, "attributes": attributes.text({"age": age} if age else {})}
        for case, age in ages.items()
    )
    assert found == {
        "under 18": {"a"},
        "18 to 39": {"b", "c"},
        "40 to 64": {"d"},
        "65 and over": {"e", "f"},
    }


def test_other_attributes_make_subgroups_by_their_values() -> None:
    known = [{"site": "A", "id": "1"}, {"site": "B", "id": "2"}, {"site": "A", "scanner": "X"}, {}]
    known += [{"id": str(number)} for number in range(3, 20)]
    found = members(
        {"case": str(number), "attributes": attributes.text(each)}
        for number, each in enumerate(known)
    )
    assert found == {"site: A": {"0", "2"}, "site: B": {"1"}}


def test_the_checklist_is_whole_and_says_what_is_the_authors(tree: results_tree.Tree) -> None:
    claim, tripod = sections(tree, "checklist").values()
    assert [row[0] for row in claim["rows"]] == [str(number) for number in range(1, 45)]
    assert len(tripod["rows"]) == 52
    assert len({row[0] for row in tripod["rows"]}) == 52
    here = {row[0]: row[2] for row in claim["rows"]}
    assert here["44"] == "Open: the author's answer in answers.yaml, funding."
    assert {row[3] for row in claim["rows"]} == {FROM_RUN, OPEN}
    assert "resnet18" in here["22"]
    assert "11,176,512 weights" in here["22"]
    assert all(text and "{" not in text and "None" not in text.split() for text in here.values())
    written = (tree.results / "checklist.md").read_text()
    assert all(f"| {row[0]} |" in written for row in tripod["rows"])


def test_an_item_that_asks_for_an_unknown_fact_is_refused() -> None:
    items = {"CLAIM": {"note": "", "items": [{"number": 1, "item": "x", "here": "{modle}"}]}}
    with pytest.raises(UserError, match="no fact 'modle'"):
        checklist(items, {"model": "m"}, {})


def test_what_the_author_answers_stands_in_card_and_checklist(tree: results_tree.Tree) -> None:
    results_tree.write_card(tree, answers={"funding": "None.", "ethics": "Approved, number 7."})
    claim, tripod = sections(tree, "checklist").values()
    assert [row[2:] for row in claim["rows"] if row[0] == "44"] == [["None.", ANSWERED]]
    (approval,) = (row[2] for row in tripod["rows"] if row[0] == "17")
    assert approval.endswith(" Approved, number 7.")
    assert "1 are answered by the author" in claim["paragraphs"][1]
    ethics = sections(tree, "card")["Ethics"]["paragraphs"]
    assert "Approved, number 7." in ethics
    assert sections(tree, "card")["Intended use"]["paragraphs"][1].startswith("Open: ")
    results_tree.write_card(tree)


def test_an_answer_to_what_nobody_asks_is_refused() -> None:
    content = yaml.safe_load(CHECKLISTS.read_text())
    with pytest.raises(UserError, match="'etics' is no topic"):
        checklist(content, {}, {"etics": "yes"})
    asked = {item["ask"] for each in content.values() for item in each["items"] if "ask" in item}
    offered = (results_tree.PROJECT / "answers.yaml").read_text()
    assert all(re.search(rf"\b{topic}\b", offered) for topic in asked)


def test_the_numbers_of_items_are_those_of_the_guidelines() -> None:
    content = yaml.safe_load(CHECKLISTS.read_text())
    assert [len(each["items"]) for each in content.values()] == [44, 52]


def test_an_ensembles_card_names_its_members(tree: results_tree.Tree) -> None:
    winner = json.loads((tree.results / "winner.json").read_text())["arm"]
    before = (tree.results / "card.md").read_bytes()
    names = ["resnet18/fold0-seed1", "lstm/fold0-seed1"]
    runs = [f"{winner}/fold0-seed{seed}" for seed in results_tree.SEEDS]
    results_tree.write_card(tree, dict.fromkeys(runs, names))
    assert (
        "Mean of the probabilities of resnet18, lstm."
        in (tree.results / "checklist.md").read_text()
    )
    results_tree.write_card(tree)
    assert (tree.results / "card.md").read_bytes() == before


def test_the_card_of_an_ensemble_over_folds_says_how_it_was_validated(
    tmp_path: Path, tree: results_tree.Tree
) -> None:
    shutil.copytree(tree.root, tmp_path, dirs_exist_ok=True)
    made = replace(tree, root=tmp_path)
    run, names = "whole/foldall-seed1", [f"resnet18/fold{fold}-seed1" for fold in (0, 1)]
    for kind, name in (("predictions", ""), ("metrics", ".json")):
        source, target = (made.results / kind / f"{each}{name}" for each in (names[0], run))
        target.parent.mkdir()
        source.rename(target)
    path = made.results / "metrics" / f"{run}.json"
    told = {"members": names, "flips": {"resnet18": ["horizontal"]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    by = {"by": BY + OVER_FOLDS, "value": 1, "reason": None}
    (made.results / "winner.json").write_text(json.dumps({"arm": "whole"} | by))
    results_tree.write_card(made, {run: names})
    model = " ".join(sections(made, "card")["Model"]["paragraphs"])
    for words in (
        "Arm whole, foldall-seed1: the mean of resnet18, one predictor of 2 networks; on validation"
        ", of all 2 folds, those score a case that did not learn it.",
        "resnet18 also sees images flipped (horizontal)",
        "Of 2 networks this is the first of each arm; the others differ in fold or seed.",
        "validation (of an ensemble over folds, that of all out-of-fold scores together)",
    ):
        assert words in model
    assert "counted as in the first fold" in " ".join(sections(made, "card")["Data"]["paragraphs"])


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> results_tree.Tree:
    """A study whose arms go on from each other; the last of them is chosen."""
    made = results_tree.Tree(tmp_path_factory.mktemp("chain"), results_studies.BRAIN)
    results_tree.write_data(made)
    results_tree.write_runs(made)
    chosen = {"arm": "finetuned", "by": "", "value": 1, "reason": None}
    (made.results / "winner.json").write_text(json.dumps(chosen))
    results_tree.write_card(made)
    return made


def test_without_a_winner_none_is_said_to_be_chosen(tree: results_tree.Tree) -> None:
    winner = tree.results / "winner.json"
    before = winner.read_text()
    winner.write_text(json.dumps({"arm": None, "reason": "no arm has a ROC AUC on validation"}))
    results_tree.write_card(tree)
    how = sections(tree, "card")["Model"]["paragraphs"][2]
    winner.write_text(before)
    results_tree.write_card(tree)
    assert "No arm was chosen (no arm has a ROC AUC on validation): this is the first." in how
    assert "highest mean ROC AUC" in sections(tree, "card")["Model"]["paragraphs"][2]


def networks_of(tree: results_tree.Tree, *arms: str, **recipes: dict[str, Any]) -> Networks:
    """The networks of some arms with changes to the ``recipes`` of stages."""
    paths = tree.runs("training/*/*/record.json")
    members = [f"{arm}/fold0-seed1" for arm in arms]
    found = read_networks(paths, members, results_tree.ORIGINS)

    def changed(stage: Stage) -> Stage:
        settings = stage.settings
        settings = {**settings, "recipe": {**stage.recipe, **recipes.get(stage.arm, {})}}
        origin = changed(stage.origin) if stage.origin else None
        return Stage(stage.arm, {**stage.record, "settings": settings}, origin)

    return Networks(tuple(map(changed, found.last)))


def test_an_arm_that_goes_on_from_others_tells_of_all_stages(volumes: results_tree.Tree) -> None:
    model, training, *_ = sections(volumes, "card")["Model"]["paragraphs"]
    assert "finetuned starts from lstm, which starts from resnet18." in model
    assert "network resnet18 for single slices, 11,176,512 weights, all trained" in model
    assert "lstm: a sequence model over the features of slices by resnet18" in model
    assert "198,785 weights trained of 11,375,297 in the whole network" in model
    assert "11,375,168 weights trained of 11,375,297 in the whole network" in model
    assert "12.5 s (resnet18), 12.5 s (lstm) and 12.5 s (finetuned)" in training
    claim, _ = sections(volumes, "checklist").values()
    start = next(row[2] for row in claim["rows"] if row[0] == "24")
    assert start == (
        "resnet18: random, from the seed; lstm: slice network of resnet18, sequence model random, "
        "from the seed; finetuned: all weights of lstm."
    )


def test_what_records_agree_on_is_said_once(volumes: results_tree.Tree) -> None:
    epochs = {"resnet18": {"epochs": 6}, "lstm": {"epochs": 10}, "finetuned": {"epochs": 1}}
    told = sentences(networks_of(volumes, "finetuned", **epochs))
    assert told["training"].count("rained on 24 training cases") == 3
    for arm, words in (("resnet18", "6 epochs"), ("lstm", "10 epochs"), ("finetuned", "1 epoch")):
        assert f"{arm}: trained on 24 training cases for {words} in batches" in told["training"]
    assert told["software"] == "python 3.11, torch 2.12."
    assert told["preprocessing"].count("ecoded as volume") == 1
    same = sentences(networks_of(volumes, "finetuned"))["training"]
    assert same.startswith("Trained on 24")
    assert same.count("rained on 24") == 1


def test_an_ensemble_tells_of_all_its_members(volumes: results_tree.Tree) -> None:
    changes = {
        "augment": defaults(Recipe)["augment"]
        | {"flip": 0.5, "noise": {"probability": 0.5, "std": 0.05}},
        "mix": {"method": "cutmix", "probability": 0.5, "alpha": 1.0},
        "balance": {"method": "hard_examples", "augment": "copies"},
        "train_on": ["train", "val"],
        "select": {"by": "last"},
    }
    networks = networks_of(volumes, "lstm", "resnet18", resnet18=changes)
    assert [each.arm for each in networks.stages] == ["resnet18", "lstm"]
    assert description(networks).startswith("lstm starts from resnet18. resnet18: network")
    told = sentences(networks)
    assert told["augmentation"].startswith(
        "resnet18: training images are augmented: flip, noise. Each sample is mixed with another "
        "one by cutmix (alpha 1) with probability 0.5, labels with it. lstm: no augmentation"
    )
    assert "imbalance: the rarer class is oversampled, hard examples most, and" in told["balance"]
    assert "24 training and validation cases" in told["training"]
    assert "resnet18: the last epoch is kept. lstm: the epoch" in told["selection"]


def test_what_is_not_known_of_a_value_stands_beside_it() -> None:
    value = {"value": 0.9, "low": 0.8, "high": 0.95, "reason": None}
    left_out = value | {"reason": "undefined for a, b"}
    many = {"reason": "over 2 of 15 classes: undefined for " + ", ".join("abcdefghijklm")}
    fixed = {"value": 0.5, "low": 0.5, "high": 0.5, "reason": FIXED}
    assert in_words(value, 1) == "0.900 (0.800 to 0.950)"
    assert in_words(left_out, 15) == (
        "0.900 (0.800 to 0.950; over 13 of 15 classes: undefined for a and b)"
    )
    assert in_words(value | many, 15) == "0.900 (0.800 to 0.950; over 2 of 15 classes)"
    assert in_words(fixed, 1) == "0.500 (the same for any cases)"
    assert in_words({"value": None, "reason": "undefined for a, b"}, 2) == (
        "undefined: in all 2 classes"
    )
    uncalled = {"value": None, "reason": "no case is called " + " or ".join("abcd")}
    assert in_words(uncalled, 15) == ("undefined: no case is called positive for 4 of 15 classes")
    assert in_words({"value": None, "reason": "no case is called positive"}, 1) == (
        "undefined: no case is called positive"
    )
    assert in_words({"value": None, "reason": "no positive case"}, 1) == (
        "undefined: no positive case"
    )


def test_the_run_that_is_best_on_validation_stands_for_the_arm(tmp_path: Path) -> None:
    def write(name: str, value: float | None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        page = {"metrics": {"roc_auc": {"value": value}}}
        path.write_text(json.dumps({"partitions": {"val": page}}))
        return path

    paths = [write("a/1.json", 0.9), write("b/1.json", None), write("b/2.json", 0.6)]
    winner = tmp_path / "winner.json"
    for arm, expected in (("b", "b/2.json"), ("a", "a/1.json"), (None, "a/1.json")):
        winner.write_text(json.dumps({"arm": arm}))
        assert chosen_run(winner, paths) == tmp_path / expected


def test_words_from_data_stay_words_in_markdown() -> None:
    made = markdown("T", [Section("S", ("a_b <c>\n* d",), ("x",), (("p|q",),))])
    assert r"a\_b \<c> \* d" in made
    assert r"| p\|q |" in made
