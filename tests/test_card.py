"""The model card and the checklist: what the run knows, told rightly, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

import results_tree
from triage.errors import UserError
from triage.evaluation.chosen import chosen_run
from triage.evaluation.subgroups import members
from triage.files import read_rows
from triage.report.card import AUTHOR, Card
from triage.report.sections import Section, markdown

CHECKLISTS = results_tree.PROJECT / "workflow" / "report" / "checklists.yaml"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> results_tree.Tree:
    made = results_tree.Tree(tmp_path_factory.mktemp("card"), results_tree.LESIONS)
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
    sex = {row["case"]: row["sex"] for row in read_rows(tree.data / "manifest.csv")}
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
    found = members([{"case": case, "age": age, "sex": ""} for case, age in ages.items()])
    assert found == {
        "under 18": {"a"},
        "18 to 39": {"b", "c"},
        "40 to 64": {"d"},
        "65 and over": {"e", "f"},
    }


def test_the_checklist_is_whole_and_says_what_is_the_authors(tree: results_tree.Tree) -> None:
    claim, tripod = sections(tree, "checklist").values()
    assert [row[0] for row in claim["rows"]] == [str(number) for number in range(1, 45)]
    assert len(tripod["rows"]) == 52
    assert len({row[0] for row in tripod["rows"]}) == 52
    here = {row[0]: row[2] for row in claim["rows"]}
    assert here["44"] == AUTHOR
    assert "resnet18" in here["22"]
    assert "11,176,512 weights" in here["22"]
    assert all(text and "{" not in text and "None" not in text.split() for text in here.values())
    written = (tree.results / "checklist.md").read_text()
    assert all(f"| {row[0]} |" in written for row in tripod["rows"])


def test_an_item_that_asks_for_an_unknown_fact_is_refused() -> None:
    card = Card.__new__(Card)
    card.facts = {"model": "m"}
    items = {"CLAIM": {"note": "", "items": [{"number": 1, "item": "x", "here": "{modle}"}]}}
    with pytest.raises(UserError, match="no fact 'modle'"):
        card.checklist(items)


def test_the_numbers_of_items_are_those_of_the_guidelines() -> None:
    content = yaml.safe_load(CHECKLISTS.read_text())
    assert [len(each["items"]) for each in content.values()] == [44, 52]


def test_an_ensembles_card_names_its_members(tree: results_tree.Tree) -> None:
    winner = json.loads((tree.results / "winner.json").read_text())["arm"]
    before = (tree.results / "card.md").read_bytes()
    results_tree.write_card(tree, {winner: ["resnet18", "lstm"]})
    assert (
        "Mean of the probabilities of resnet18, lstm."
        in (tree.results / "checklist.md").read_text()
    )
    results_tree.write_card(tree)
    assert (tree.results / "card.md").read_bytes() == before


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
