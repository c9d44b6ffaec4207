"""The first screen of a study: which arm, how sure, on what data, and what it is worth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import results_studies
import results_tree
from triage.report.data import Data
from triage.report.glance import Fact, Glance, glance
from triage.report.leakage import Leakage
from triage.report.results import Measured
from triage.report.tables import NONE, Table

NOTHING = Table("", (), ())
DATA = Data(
    cases=100,
    groups=90,
    tested=20,
    parts={"train": 60, "val": 20, "test": 20},
    excluded=2,
    counts=NOTHING,
    seen=NOTHING,
    leakage=Leakage(NOTHING, NOTHING, 0, NOTHING),
    quarantined=1,
    quarantine=NOTHING,
    withdrawn=0,
    withdrawal=NOTHING,
    consent=NOTHING,
)
METRICS = ("roc_auc", "balanced_accuracy", "recall", "specificity", "f1")


def row(arm: str, **values: Any) -> dict[str, str]:
    """A row of a table, as it is read."""
    parts = ("", "_low", "_high", "_sd_seeds", "_sd_folds")
    empty = {metric + part: "" for metric in METRICS for part in parts}
    names = ("roc_auc_difference", "floor_difference", "accuracy_gain")
    empty |= {name + part: "" for name in names for part in parts[:3]}
    first = {"arm": arm, "winner": "0", "runs": "1", "cases": "20", "val_roc_auc": "0.8"}
    first |= {"roc_auc": "0.9", "roc_auc_low": "0.8", "roc_auc_high": "0.97", "roc_auc_p_holm": ""}
    first |= {"floor": "0", "ahead": "", "floor_p_holm": ""}
    return empty | first | {name: str(value) for name, value in values.items()}


def chosen(**values: Any) -> dict[str, str]:
    gain = {"accuracy_gain": 0.2, "accuracy_gain_low": 0.1, "accuracy_gain_high": 0.3}
    return row("best", **({"winner": 1, "val_roc_auc": 0.9} | gain | values))


def other(difference: float, low: float, high: float, p: float, arm: str = "next") -> Any:
    limits = {"roc_auc_difference_low": low, "roc_auc_difference_high": high}
    return row(arm, roc_auc_difference=difference, roc_auc_p_holm=p, **limits)


def facts(
    rows: list[Any], runs: Any = None, partition: str = "test", confidence: float = 0.95
) -> dict[str, Fact]:
    found = glance(rows, Measured(runs or {}, partition), DATA, confidence)
    return {each.question: each for each in found.facts}


def test_the_data_is_told_in_one_line() -> None:
    assert facts([chosen()])["Data"].answer == (
        "100 cases of 90 groups: 60 for training, 20 for validation, 20 for testing. Left out: 1 "
        "quarantined and 2 excluded."
    )


@pytest.mark.parametrize(
    ("against", "words", "warns"),
    [
        (other(-0.1, -0.2, -0.01, 0.02), "+0.100 from it (+0.010 to +0.200; p = 0.020", False),
        (other(-0.1, -0.2, 0.01, 0.09), "they can't be told apart", False),
        (other(0.1, 0.02, 0.2, 0.01), "it is behind", True),
    ],
)
def test_the_second_best_on_validation_is_told_apart_or_not(
    against: Any, words: str, warns: bool
) -> None:
    found = facts([chosen(), against, row("third", val_roc_auc=0.7)])
    fact = found["Is it ahead of the second best?"]
    assert words in fact.answer
    assert fact.warns == warns


def test_a_chosen_arm_that_is_worth_nothing_is_said_to_be() -> None:
    question = "Is it better than always saying one class?"
    assert not facts([chosen()])[question].warns
    found = facts([chosen(accuracy_gain=0.012, accuracy_gain_low=-0.06)])[question]
    assert found.warns
    assert "not shown to be any better" in found.answer


def test_a_better_arm_that_was_not_chosen_is_named() -> None:
    found = facts([chosen(), other(0.1, 0.02, 0.2, 0.01, "hidden"), row("next")])
    assert "hidden" in found["Is an arm better that was not chosen?"].answer
    unsure = facts([chosen(), other(0.1, -0.02, 0.2, 0.2, "hidden")])
    assert "Is an arm better that was not chosen?" not in unsure


@pytest.mark.parametrize(("confidence", "apart"), [(0.95, True), (0.99, False)])
def test_arms_are_told_apart_at_the_level_of_the_intervals(confidence: float, apart: bool) -> None:
    rows = [chosen(), other(-0.1, -0.2, -0.01, 0.02), other(0.1, 0.02, 0.2, 0.02, "hidden")]
    rows[-1]["val_roc_auc"] = "0.7"
    found = facts(rows, confidence=confidence)
    assert ("it is ahead" in found["Is it ahead of the second best?"].answer) == apart
    assert ("Is an arm better that was not chosen?" in found) == apart
    assert "Is an arm better that was not chosen?" in facts([chosen(), other(0.1, 0.02, 0.2, 0.0)])


def test_validation_and_test_that_differ_by_more_than_chance_are_marked() -> None:
    def runs(value: float) -> Any:
        estimate = {"value": value, "low": value - 0.03, "high": min(1, value + 0.03)}
        page = {"metrics": {"roc_auc": estimate}}
        return {"best": [run_of(None) | {"partitions": {"val": page}}]}

    question = "Validation against test"
    assert not facts([chosen()], runs(0.92))[question].warns
    assert facts([chosen(roc_auc=0.7, roc_auc_low=0.6, roc_auc_high=0.8)], runs(0.97))[
        question
    ].warns


def run_of(page: Any) -> Any:
    return {
        "operating_point": "youden",
        "choices": {"sick": {}},
        "partitions": {"test": page and {"metrics": {}} | page},
    }


def test_what_fails_is_counted_by_the_run_with_the_most_mistakes() -> None:
    names = ("true_positive", "false_negative", "false_positive", "true_negative")
    pages = [
        {"operating_points": {"youden": {"confusion": dict(zip(names, counts, strict=True))}}}
        for counts in ((9, 1, 2, 18), (6, 4, 3, 17))
    ]
    found = facts([chosen()], {"best": list(map(run_of, pages))})["What fails?"].answer
    assert found.startswith(
        "At its threshold 4 of 10 cases of sick are missed, and 3 of 20 others are called sick "
        "(of 2 runs the worst)."
    )


def test_of_several_classes_the_worst_is_named() -> None:
    values = {"rash": 0.9, "scar": 0.6, "wart": None}
    classes = {
        name: {"metrics": {"roc_auc": {"value": value, "low": 0.5, "high": 1.0}}}
        for name, value in values.items()
    }
    found = facts([chosen()], {"best": [run_of({"classes": classes})]})["What fails?"].answer
    assert found.startswith("Of 3 classes scar is told apart worst: ROC AUC 0.600 (0.500 to 1.000)")


def test_leakage_is_answered_with_what_was_done() -> None:
    found = facts([chosen()])["Is there leakage?"].answer
    assert found.startswith("None that can be found: no group, copy or near copy is in two parts")
    assert found.endswith("2 cases are excluded.")


def test_nothing_is_compared_where_validation_is_measured() -> None:
    found = facts([chosen(), other(-0.1, -0.2, -0.01, 0.02)], partition="val")
    assert found["Is it ahead of the second best?"].warns
    assert "Not tested" in found["Is it ahead of the second best?"].answer


def test_main_numbers_have_the_floor_and_the_zero_rate_beside_them() -> None:
    floor = row("forest", val_roc_auc=0.5, floor=1)
    rows = [row("zero_rate", val_roc_auc=""), chosen(), row("next"), floor]
    found: Glance = glance(rows, Measured({}, "test"), DATA, 0.95)
    names = [cells[0].text for cells in found.numbers.rows]
    assert names == ["best (chosen)", "next", "forest", "always the commoner class"]
    assert found.numbers.rows[0][1].notes == ("0.800 to 0.970",)


@pytest.mark.parametrize(
    ("best", "words", "warns"),
    [
        (
            {"ahead": 1},
            "+0.100 from that of forest (+0.050 to +0.150; p = 0.010, corrected)",
            False,
        ),
        ({"ahead": 0}, "it is not shown to be", True),
        ({"ahead": 1, "val_roc_auc": 0.7}, "forest is better than every network (0.800)", True),
        ({"floor_p_holm": ""}, "Not tested against forest", True),
    ],
)
def test_an_arm_that_is_not_ahead_of_the_floor_is_told_at_once(
    best: Any, words: str, warns: bool
) -> None:
    over = {"floor_difference": 0.1, "floor_difference_low": 0.05, "floor_difference_high": 0.15}
    rows = [chosen(**({"floor_p_holm": 0.01} | over | best)), row("forest", floor=1)]
    fact = facts(rows)["Is it ahead of what takes no network?"]
    assert words in fact.answer
    assert fact.warns == warns
    assert "Is it ahead of what takes no network?" not in facts([chosen(), row("next")])
    told = facts([*rows, row("next", val_roc_auc=0.5)])
    assert "of 2 arms with networks" in told["Best arm"].answer
    alone = facts([chosen(floor=1)])["Is it ahead of what takes no network?"]
    assert "there is no network" in alone.answer


def test_decisions_that_are_worse_than_one_class_are_called_so() -> None:
    gains = {"accuracy_gain": -0.2, "accuracy_gain_low": -0.3, "accuracy_gain_high": -0.1}
    found = facts([chosen(**gains)])["Is it better than always saying one class?"]
    assert found.warns
    assert found.answer.endswith("its decisions are less often right.")


def test_where_nothing_was_to_be_chosen_nothing_is_said_to_be() -> None:
    answer = facts([chosen(), row("forest", floor=1)])["Best arm"].answer
    assert answer.startswith("best, the only network (ROC AUC on validation 0.900)")


def test_no_arm_chosen_is_said() -> None:
    assert "No arm" in facts([row("a"), row("b")])["Best arm"].answer


def test_the_page_answers_on_its_first_screen(tmp_path: Path) -> None:
    page = results_tree.write_all(tmp_path, results_studies.LESIONS).read_text()
    start = page.index('class="question"')
    first = page[start : page.index('id="melanoma-part-data"')]
    for question in ("Data", "Best arm", "second best?", "always saying one class?"):
        assert question in first
    assert "Main numbers, on the test part" in first
    assert page.index('id="melanoma-part-left-out"') > start


def test_the_overview_says_what_to_be_careful_about(tmp_path: Path) -> None:
    page = results_tree.write_all(
        tmp_path, results_studies.LESIONS, results_studies.CHEST
    ).read_text()
    overview, *studies = page.split('<section class="study"')
    assert "to be careful about" in overview
    rows = overview[overview.index("<tbody>") :].split("<tr>")[1:]
    cells = [re.findall(r"<span>(.*?)</span>", row)[3] for row in rows]
    assert len(cells) == len(studies) == 2
    for cell, study in zip(cells, studies, strict=True):
        marked = study.count('class="warns"')
        assert len(cell.split("; ")) == max(marked, 1)
        assert (cell == NONE) == (marked == 0)
