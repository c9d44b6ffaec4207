"""Classes that exclude each other: every metric against scikit-learn, and what is chosen where."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from evaluated import evaluate_run
from triage.evaluation import multiclass
from triage.evaluation.arms import Run, measure_arms, zero_rate
from triage.evaluation.calibration import fit_shared_temperature
from triage.evaluation.choices import Choices
from triage.evaluation.comparison import compare_arms
from triage.evaluation.samples import sample_of
from triage.evaluation.settings import EvaluationSettings
from triage.task import Task

CLASSES = ("mild", "moderate", "severe", "none")
SETTINGS = EvaluationSettings(
    replicates=100,
    task=Task.MULTICLASS,
    classes=("none", "mild", "moderate", "severe"),
    ordinal=True,
)


def study(
    strength: float = 1.5, cases: int = 120
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Predictions of validation and test, and their split; a class is rarer than the others."""
    rng = np.random.default_rng(3)
    names = [f"c{i:03d}" for i in range(3 * cases)]
    true = rng.choice(4, len(names), p=[0.4, 0.3, 0.2, 0.1])
    logits = rng.normal(0, 1, (len(names), 4)) + strength * np.eye(4)[true]
    logits = Task.MULTICLASS.logits(1.7 * logits)
    table = pd.DataFrame(
        {
            "case": np.repeat(names, 4),
            "class": np.tile(CLASSES, len(names)),
            "label": np.eye(4, dtype=int)[true].ravel(),
            "logit": logits.ravel(),
            "probability": np.exp(logits).ravel(),
        }
    )
    parts = np.repeat(["val", "test", "train"], cases)
    split = pd.DataFrame(
        {"case": names, "group": names, "label": np.array(CLASSES)[true], "partition": parts}
    )
    of_part = dict(zip(names, parts, strict=True))
    own = table["case"].map(of_part)
    return table[own == "val"], table[own == "test"], split


def arrays(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """True classes and probabilities, in the order of CLASSES."""
    labels = table["label"].to_numpy().reshape(-1, 4)
    return labels.argmax(axis=1), table["probability"].to_numpy().reshape(-1, 4)


def values(page: dict[str, Any]) -> dict[str, float]:
    return {metric: each["value"] for metric, each in page["metrics"].items()}


def test_every_metric_is_that_of_scikit_learn():
    content = evaluate_run(*study(), SETTINGS)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    true, probabilities = arrays(study()[1])
    called = probabilities.argmax(axis=1)
    page = content["partitions"]["test"]
    found = values(page)
    assert tuple(found) == multiclass.METRICS
    onehot = np.eye(4)[true]
    order = np.array([1, 2, 3, 0])  # of CLASSES from none to severe
    expected = {
        "accuracy": reference.accuracy_score(true, called),
        "balanced_accuracy": reference.balanced_accuracy_score(true, called),
        "f1": reference.f1_score(true, called, average="macro"),
        "f1_weighted": reference.f1_score(true, called, average="weighted"),
        "kappa": reference.cohen_kappa_score(true, called),
        "kappa_quadratic": reference.cohen_kappa_score(
            order[true], order[called], weights="quadratic"
        ),
        "brier": np.mean(((probabilities - onehot) ** 2).sum(axis=1)),
        "log_loss": reference.log_loss(true, probabilities),
    }
    for average, suffix in (("macro", ""), ("weighted", "_weighted")):
        expected[f"roc_auc{suffix}"] = reference.roc_auc_score(
            true, probabilities, multi_class="ovr", average=average
        )
        expected[f"average_precision{suffix}"] = reference.average_precision_score(
            onehot, probabilities, average=average
        )
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value), metric
    confusion = page["operating_points"]["argmax"]["confusion"]
    names = sorted(CLASSES)
    places = np.array([names.index(name) for name in CLASSES])
    assert confusion == reference.confusion_matrix(places[true], places[called]).tolist()
    for place, name in enumerate(CLASSES):
        auc = reference.roc_auc_score(true == place, probabilities[:, place])
        assert values(page["classes"][name])["roc_auc"] == pytest.approx(auc)
        recall = reference.recall_score(true == place, called == place)
        assert values(page["classes"][name])["recall"] == pytest.approx(recall)


def test_every_value_has_an_interval_that_holds_it():
    page = evaluate_run(*study(), SETTINGS)["partitions"]["test"]
    for section in (page, page["calibrated"]):
        for metric, each in section["metrics"].items():
            assert each["low"] < each["value"] < each["high"], metric
    perfect = evaluate_run(*study(30), SETTINGS)["partitions"]["test"]["metrics"]
    for metric in ("accuracy", "kappa", "roc_auc", "balanced_accuracy", "f1"):
        assert perfect[metric]["value"] == perfect[metric]["high"] == pytest.approx(1)
        assert 0.7 < perfect[metric]["low"] < 0.999, metric


def test_intervals_of_accuracy_and_kappa_cover_the_truth():
    _, test, split = study(cases=3000)
    truth = values(evaluate_run(None, test, split, _few(2))["partitions"]["test"])
    hits = dict.fromkeys(("accuracy", "kappa", "balanced_accuracy", "roc_auc", "log_loss"), 0)
    for own in np.array_split(np.arange(len(test)), 50):  # of 60 cases each
        part = test.iloc[own]
        page = evaluate_run(None, part, split, _few(80))["partitions"]["test"]["metrics"]
        for metric in hits:
            hits[metric] += page[metric]["low"] <= truth[metric] <= page[metric]["high"]
    assert min(hits.values()) >= 43, hits


def _few(replicates: int) -> EvaluationSettings:
    return EvaluationSettings(replicates=replicates, task=Task.MULTICLASS)


def test_top_label_and_classwise_calibration_errors_are_theirs():
    true, probabilities = arrays(study()[1])
    found = values(evaluate_run(*study(), SETTINGS)["partitions"]["test"])

    def error(right: np.ndarray, confidence: np.ndarray) -> float:
        cell = np.minimum((confidence * 10).astype(int), 9)
        return float(np.abs(np.bincount(cell, confidence - right, 10)).sum() / len(cell))

    top = error(probabilities.argmax(axis=1) == true, probabilities.max(axis=1))
    by_class = [error(true == place, probabilities[:, place]) for place in range(4)]
    assert found["ece"] == pytest.approx(top)
    assert found["ece_classwise"] == pytest.approx(np.mean(by_class))


def test_one_temperature_is_fitted_on_validation_and_applied_to_the_test_part():
    val, test, split = study(cases=2000)
    labels = val["label"].to_numpy(float).reshape(-1, 4)
    found = fit_shared_temperature(labels, val["logit"].to_numpy().reshape(-1, 4)).temperature
    assert found is not None
    content = evaluate_run(val, test, split, _few(2))
    chosen = Choices.from_json(content["choices"])
    assert [each.temperature for each in chosen.temperatures] == pytest.approx([found] * 4)
    true, _ = arrays(test)
    cooled = Task.MULTICLASS.logits(test["logit"].to_numpy().reshape(-1, 4) / found)
    loss = values(content["partitions"]["test"]["calibrated"])["log_loss"]
    assert loss == pytest.approx(reference.log_loss(true, np.exp(cooled)))
    assert loss < values(content["partitions"]["test"])["log_loss"]
    assert chosen.thresholds == {}
    assert Choices.from_json(chosen.as_json()) == chosen


def test_zero_rate_always_says_the_commonest_class():
    page = evaluate_run(*study(), SETTINGS)["partitions"]["test"]
    found = values(page["zero_rate"])
    true, _ = arrays(study()[1])
    assert found["accuracy"] == pytest.approx(np.mean(true == 0))
    assert found["balanced_accuracy"] == pytest.approx(0.25)
    assert (found["kappa"], found["roc_auc"]) == (pytest.approx(0), 0.5)
    assert page["zero_rate"]["metrics"]["roc_auc"]["low"] == 0.5


def test_arms_are_averaged_and_compared():
    val, test, split = study()
    weaker = study(0.3)[1]
    runs = []
    for arm, tests in (("good", test), ("weak", weaker)):
        for seed in (1, 2):
            metrics = evaluate_run(val, tests, split, SETTINGS)
            runs.append(Run(arm, 0, seed, metrics, sample_of(tests, split)))
    arms = measure_arms(runs, SETTINGS)
    page = runs[0].metrics["partitions"]["test"]["metrics"]
    for metric in multiclass.METRICS:
        assert arms[0].means[metric].value == pytest.approx(page[metric]["value"]), metric
    found = {each.metric: each for each in compare_arms(arms, "good", 0.95)}
    assert set(found) == set(multiclass.METRICS)
    assert found["kappa"].high < 0
    assert found["kappa"].p < 0.05
    (zero,) = zero_rate(runs, SETTINGS)
    assert zero.means["roc_auc"].value == 0.5


def test_unlabelled_cases_and_a_missing_class_have_reasons():
    val, test, split = study()
    some = test.assign(label=test["label"].astype(object).where(test["case"] != "c120", ""))
    page = evaluate_run(val, some, split, SETTINGS)["partitions"]["test"]
    assert (page["cases"], page["unlabelled"], page["labelled"]) == (120, 1, 119)
    labels = test["label"].to_numpy().reshape(-1, 4)
    without = test[np.repeat(labels[:, 2] == 0, 4)]
    metrics = evaluate_run(val, without, split, SETTINGS)["partitions"]["test"]["metrics"]
    assert metrics["roc_auc"]["reason"] == "undefined for severe"
    assert metrics["roc_auc"]["value"] is not None
    nothing = evaluate_run(val, test.assign(label=""), split, SETTINGS)["partitions"]["test"]
    assert nothing["metrics"]["accuracy"]["value"] is None
    assert nothing["metrics"]["accuracy"]["reason"] == "no case with a known label"
