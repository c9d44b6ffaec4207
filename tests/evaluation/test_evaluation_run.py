"""The metrics of one run: what is chosen where, missing parts, several classes, wrong input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from evaluated import evaluate_run
from triage.errors import UserError
from triage.evaluation.bootstrap import group_counts
from triage.evaluation.choices import choices_of
from triage.evaluation.metrics import METRICS
from triage.evaluation.samples import sample_of
from triage.evaluation.scoring import prepare, replicate, scopes_of
from triage.evaluation.settings import EvaluationSettings

SETTINGS = EvaluationSettings(replicates=200, seed=0)
FINDINGS = ("Effusion", "Mass", "Nodule")


def predictions(
    cases: Sequence[str], seed: int, classes: Sequence[str] = ("abnormal",), strength: float = 1.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for name in classes:
        labels = (rng.random(len(cases)) < 0.4).astype(int)
        logits = rng.normal(strength * (2 * labels - 1), 1)
        columns = {"case": cases, "class": name, "label": labels, "logit": logits}
        parts.append(pd.DataFrame(columns | {"probability": 1 / (1 + np.exp(-logits))}))
    return pd.concat(parts, ignore_index=True)


def study(
    classes: Sequence[str] = ("abnormal",),
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Validation and test predictions of 60 cases each, two cases a group, and their split."""
    cases = [f"c{i:03d}" for i in range(180)]
    split = pd.DataFrame(
        {
            "case": cases,
            "group": [f"g{i // 2}" for i in range(180)],
            "label": [classes[0] if i % 3 == 0 else "normal" for i in range(180)],
            "fold": 0,
            "partition": ["val"] * 60 + ["test"] * 60 + ["train"] * 60,
        }
    )
    return predictions(cases[:60], 1, classes), predictions(cases[60:120], 2, classes), split


def values(page: dict[str, Any]) -> dict[str, float | None]:
    return {metric: estimate["value"] for metric, estimate in page["metrics"].items()}


def test_binary_run_is_json_with_every_metric_and_interval():
    content = evaluate_run(*study(), SETTINGS)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    page = content["partitions"]["test"]
    assert (page["cases"], page["groups"], page["labelled"]) == (60, 30, 60)
    assert tuple(page["metrics"]) == METRICS
    for estimate in page["metrics"].values():
        assert estimate["low"] < estimate["value"] < estimate["high"] or estimate["reason"]
    test = study()[1]
    assert page["positives"] == test["label"].sum()
    auc = reference.roc_auc_score(test["label"], test["probability"])
    assert page["metrics"]["roc_auc"]["value"] == pytest.approx(auc)


def test_two_evaluations_are_the_same_bytes_and_seeds_differ():
    first, again = (json.dumps(evaluate_run(*study(), SETTINGS)) for _ in range(2))
    assert first == again
    other = evaluate_run(*study(), EvaluationSettings(replicates=200, seed=1))
    assert json.dumps(other) != first


def test_copies_of_a_case_in_its_group_make_nothing_more_certain():
    val, test, split = study()
    split["group"] = split["case"]
    copies = [test, test.assign(case=test["case"] + "a"), test.assign(case=test["case"] + "b")]
    groups = [split.assign(case=split["case"] + suffix) for suffix in ("", "a", "b")]
    once = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]
    thrice = evaluate_run(val, pd.concat(copies), pd.concat(groups), SETTINGS)["partitions"]["test"]
    assert (thrice["cases"], thrice["groups"]) == (180, 60)
    for metric in METRICS:
        for part in ("value", "low", "high"):
            alone, tripled = (page["metrics"][metric][part] for page in (once, thrice))
            # Resamples give the variance, which never counts as less than that of all cases.
            assert alone == pytest.approx(tripled, abs=0.01), (metric, part)


def test_replicates_are_the_metrics_of_the_groups_that_are_drawn():
    _, test, split = study()
    split["group"] = [f"g{int(i**0.5)}" for i in range(len(split))]  # ever larger groups
    sample = sample_of(test, split)
    assert sample is not None
    choices = choices_of(None, split, sample.classes, 0.9)
    scopes = scopes_of(prepare(sample, choices, bins=10))
    names = np.unique(sample.groups)
    (found,) = replicate(scopes, len(names), rounds=20, seed=5)
    for number, counts in enumerate(np.concatenate(list(group_counts(len(names), 20, seed=5)))):
        drawn = [
            place
            for name, count in zip(names, counts, strict=True)
            for place in np.flatnonzero(sample.groups == name).tolist() * int(count)
        ]
        labels, probabilities = sample.labels[drawn, 0], sample.probabilities[drawn, 0]
        auc = reference.roc_auc_score(labels, probabilities)
        assert found["scores", "roc_auc"][number] == pytest.approx(auc)
        accuracy = reference.accuracy_score(labels, probabilities > 0.5)
        assert found["half", "accuracy"][number] == pytest.approx(accuracy)


def test_order_of_rows_does_not_matter():
    val, test, split = study()
    mixed = (table.sample(frac=1, random_state=3) for table in (val, test, split))
    assert evaluate_run(*mixed, SETTINGS) == evaluate_run(val, test, split, SETTINGS)


def test_main_decisions_are_those_of_the_chosen_operating_point():
    for point in ("half", "youden", "sensitivity"):
        settings = EvaluationSettings(replicates=100, operating_point=point)
        content = evaluate_run(*study(), settings)
        threshold = content["choices"]["abnormal"]["operating_points"][point]["threshold"]
        page, test = content["partitions"]["test"], study()[1]
        decided = test["probability"] > threshold
        assert values(page)["f1"] == pytest.approx(reference.f1_score(test["label"], decided))
        tn, fp, fn, tp = map(int, reference.confusion_matrix(test["label"], decided).ravel())
        assert list(page["operating_points"][point]["confusion"].values()) == [tp, fp, fn, tn]
    reached = content["partitions"]["val"]["operating_points"]["sensitivity"]["metrics"]["recall"]
    assert reached["value"] >= 0.9


def test_the_test_part_chooses_nothing():
    val, test, split = study()
    turned = test.assign(probability=1 - test["probability"], logit=-3 * test["logit"])
    plain, other = (evaluate_run(val, each, split, SETTINGS) for each in (test, turned))
    assert plain["choices"] == other["choices"]
    assert plain["partitions"]["val"] == other["partitions"]["val"]
    assert plain["partitions"]["test"] != other["partitions"]["test"]


def test_temperature_of_validation_is_applied_to_the_test_part():
    val, test, split = study()
    content = evaluate_run(val, test, split, SETTINGS)
    temperature = content["choices"]["abnormal"]["calibration"]["temperature"]
    softened = 1 / (1 + np.exp(-test["logit"] / temperature))
    brier = reference.brier_score_loss(test["label"], softened)
    found = content["partitions"]["test"]["calibrated"]
    assert values(found)["brier"] == pytest.approx(brier)


def test_zero_rate_is_the_majority_of_the_training_labels():
    content = evaluate_run(*study(), SETTINGS)
    assert content["choices"]["abnormal"]["zero_rate"]["prior"] == pytest.approx(1 / 3)
    share = study()[1]["label"].mean()
    found = values(content["partitions"]["test"]["zero_rate"])
    assert found["roc_auc"] == 0.5
    assert found["average_precision"] == pytest.approx(share)
    assert found["accuracy"] == pytest.approx(1 - share)
    assert found["brier"] == pytest.approx(np.mean((study()[1]["label"] - 1 / 3) ** 2))
    assert found["precision"] is None
    reason = content["partitions"]["test"]["zero_rate"]["metrics"]["precision"]["reason"]
    assert reason == "no case is called positive"


@pytest.mark.parametrize("nothing", [None, study()[0].head(0)])
def test_a_run_without_validation_or_test(nothing: pd.DataFrame | None):
    val, test, split = study()
    content = evaluate_run(nothing, test, split, SETTINGS)
    assert content["partitions"]["val"] is None
    youden = content["choices"]["abnormal"]["operating_points"]["youden"]
    assert youden == {
        "threshold": 0.5,
        "chosen_on": "fixed",
        "reason": "no validation case that was not trained on: 0.5 instead",
    }
    calibrated = content["partitions"]["test"]["calibrated"]["metrics"]["brier"]
    assert calibrated["value"] is None
    assert calibrated["reason"] == "no temperature could be fitted"
    assert values(content["partitions"]["test"])["f1"] is not None
    assert evaluate_run(val, nothing, split, SETTINGS)["partitions"]["test"] is None
    assert evaluate_run(nothing, nothing, split, SETTINGS)["choices"] == {}


def test_unknown_labels_count_as_unlabelled_and_nothing_else():
    val, test, split = study()
    unknown = test.assign(label=test["label"].astype(object).where(test.index >= 20, ""))
    page = evaluate_run(val, unknown, split, SETTINGS)["partitions"]["test"]
    assert (page["cases"], page["unlabelled"], page["labelled"]) == (60, 20, 40)
    known = evaluate_run(val, test.iloc[20:], split, SETTINGS)["partitions"]["test"]
    assert values(page) == pytest.approx(values(known))
    empty = evaluate_run(val, test.assign(label=""), split, SETTINGS)["partitions"]["test"]
    assert set(values(empty).values()) == {None}
    assert empty["metrics"]["roc_auc"]["reason"] == "no case with a known label"


def test_a_part_with_one_class_only_has_reasons():
    val, test, split = study()
    page = evaluate_run(val, test[test["label"] == 0], split, SETTINGS)["partitions"]["test"]
    assert page["metrics"]["roc_auc"]["reason"] == "no positive case"
    assert page["metrics"]["recall"]["value"] is None
    assert page["metrics"]["specificity"]["value"] is not None


def test_several_classes_are_averaged_as_scikit_learn_does():
    content = evaluate_run(
        *study(FINDINGS), EvaluationSettings(replicates=100, operating_point="half")
    )
    page = content["partitions"]["test"]
    wide = study(FINDINGS)[1].pivot(index="case", columns="class")
    labels, probabilities = wide["label"].to_numpy(), wide["probability"].to_numpy()
    assert tuple(page["classes"]) == FINDINGS
    for average, found in (("macro", page), ("micro", page["micro"])):
        expected = {
            "roc_auc": reference.roc_auc_score(labels, probabilities, average=average),
            "average_precision": reference.average_precision_score(
                labels, probabilities, average=average
            ),
            "f1": reference.f1_score(labels, probabilities > 0.5, average=average),
            "recall": reference.recall_score(labels, probabilities > 0.5, average=average),
        }
        for metric, value in expected.items():
            assert values(found)[metric] == pytest.approx(value), (average, metric)
    single = study(FINDINGS)[1]
    mass = single[single["class"] == "Mass"]
    auc = reference.roc_auc_score(mass["label"], mass["probability"])
    assert values(page["classes"]["Mass"])["roc_auc"] == pytest.approx(auc)


def test_a_class_that_can_not_be_measured_is_left_out_of_the_mean_by_name():
    val, test, split = study(FINDINGS)
    test.loc[test["class"] == "Mass", "label"] = 0
    page = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]
    others = [values(page["classes"][name])["roc_auc"] for name in ("Effusion", "Nodule")]
    assert values(page)["roc_auc"] == pytest.approx(np.mean(others))
    assert page["metrics"]["roc_auc"]["reason"] == "undefined for Mass"
    assert page["classes"]["Mass"]["metrics"]["roc_auc"]["reason"] == "no positive case"


def test_a_mean_over_classes_has_no_precision_where_a_class_is_never_called():
    val, test, split = study(FINDINGS)
    test.loc[test["class"] == "Mass", ["logit", "probability"]] = (-20.0, 1e-9)
    page = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]
    assert page["classes"]["Nodule"]["metrics"]["precision"]["value"] is not None
    assert page["metrics"]["precision"]["value"] is None
    assert page["metrics"]["precision"]["reason"] == "no case is called Mass"
    assert page["metrics"]["recall"]["value"] == pytest.approx(
        np.mean([values(page["classes"][name])["recall"] for name in FINDINGS])
    )


def test_a_resample_without_a_class_moves_no_mean_over_classes():
    val, test, split = study(FINDINGS)
    rows = test.index[(test["class"] == "Mass") & (test["label"] == 1)]
    test.loc[rows[1:], "label"] = 0  # a third of the resamples have no positive
    zero = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]["zero_rate"]["metrics"]
    assert zero["roc_auc"]["value"] == 0.5
    recall = zero["recall"]
    assert recall["value"] == recall["low"] == recall["high"]


def test_labels_unknown_for_one_class_leave_the_others_alone():
    val, test, split = study(FINDINGS)
    test["label"] = test["label"].astype(float)
    masses = test["class"] == "Mass"
    before = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]
    test.loc[masses & (test.index % 2 == 0), "label"] = np.nan
    after = evaluate_run(val, test, split, SETTINGS)["partitions"]["test"]
    assert after["classes"]["Nodule"] == before["classes"]["Nodule"]
    assert after["classes"]["Mass"]["labelled"] == 30


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("probability", 1.2, "probability 1.2"),
        ("probability", float("nan"), "between 0 and 1"),
        ("probability", "", "between 0 and 1"),
        ("logit", float("inf"), "finite number"),
        ("logit", "many", "logit 'many'"),
        ("label", 2, "0, 1 or empty"),
        ("label", "abnormal", "0, 1 or empty"),
        ("case", "stranger", "not in the split, such as stranger"),
        ("case", "c061", "predicted twice"),
    ],
)
def test_wrong_predictions_are_refused_with_the_case(column: str, value: object, message: str):
    _, test, split = study()
    test[column] = test[column].astype(object)
    test.loc[0, column] = value
    with pytest.raises(UserError, match=r"test\.csv") as caught:
        sample_of(test, split, "test.csv")
    assert message in str(caught.value)


def test_a_case_that_misses_a_class_is_refused():
    _, test, split = study(FINDINGS)
    with pytest.raises(UserError, match="case c060"):
        sample_of(test.drop(index=0), split)


def test_validation_and_test_must_predict_the_same_classes():
    val, _, split = study()
    with pytest.raises(UserError, match="validation predicts abnormal; test Effusion, Mass"):
        evaluate_run(val, study(FINDINGS)[1], split, SETTINGS)
