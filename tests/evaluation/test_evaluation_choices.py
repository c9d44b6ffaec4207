"""Operating points and temperature: chosen on validation, well, and on nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_curve

from triage.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    Reliability,
    fit_temperature,
)
from triage.evaluation.choices import Choices, choices_of, priors
from triage.evaluation.metrics import ones
from triage.evaluation.operating import Threshold, choose, decide, rates
from triage.evaluation.samples import Sample
from triage.task import Task

sigmoid = Task.BINARY.probabilities


def sample_of(labels: list[float] | np.ndarray, probabilities: list[float] | np.ndarray) -> Sample:
    p = np.array(probabilities, dtype=float)[:, None]
    cases = np.array([f"c{i}" for i in range(len(p))])
    with np.errstate(divide="ignore"):
        logits = np.log(p) - np.log1p(-p)
    return Sample(cases, cases, ("abnormal",), np.array(labels, dtype=float)[:, None], logits, p)


def noisy(seed: int, cases: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(cases) < 0.4).astype(float)
    return labels, np.round(sigmoid(rng.normal(1.2 * labels - 0.5, 1)), 2)


def test_rates_are_those_of_the_decisions_and_of_scikit_learn():
    labels, probabilities = noisy(1)
    thresholds, recall, specificity = rates(labels, probabilities)
    assert (np.diff(thresholds) > 0).all()
    for place, threshold in enumerate(thresholds):
        called = probabilities > threshold
        assert recall[place] == pytest.approx(called[labels == 1].mean())
        assert specificity[place] == pytest.approx(1 - called[labels == 0].mean())
    alarm, hits, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    assert recall[::-1] == pytest.approx(hits[1:])
    assert 1 - specificity[::-1] == pytest.approx(alarm[1:])


def test_youden_is_the_best_of_all_thresholds():
    labels, probabilities = noisy(2)
    (point,) = choose(sample_of(labels, probabilities), ("abnormal",), 0.9)["youden"]
    alarm, hits, _ = roc_curve(labels, probabilities)
    called = probabilities > point.threshold
    found = called[labels == 1].mean() - called[labels == 0].mean()
    assert found == pytest.approx((hits - alarm).max())
    assert point.chosen_on == "val"


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.99, 1.0])
def test_sensitivity_is_reached_with_the_highest_such_threshold(sensitivity: float):
    labels, probabilities = noisy(3)
    (point,) = choose(sample_of(labels, probabilities), ("abnormal",), sensitivity)["sensitivity"]
    reached = (probabilities[labels == 1] > point.threshold).mean()
    assert reached >= sensitivity
    higher = np.min(probabilities[probabilities > point.threshold])
    assert (probabilities[labels == 1] > higher).mean() < sensitivity


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 5e-324, 0.5, 1.0])), min_size=2))
def test_full_sensitivity_can_always_be_had(pairs: list[tuple[bool, float]]):
    labels = np.array([label for label, _ in pairs], dtype=float)
    probabilities = np.array([probability for _, probability in pairs])
    (point,) = choose(sample_of(labels, probabilities), ("abnormal",), 1.0)["sensitivity"]
    if 0 < labels.sum() < len(labels):
        assert (probabilities[labels == 1] > point.threshold).all()
    else:
        assert point.threshold == 0.5
        assert point.reason


def test_without_validation_every_point_is_one_half_and_says_so():
    points = choose(None, ("A", "B"), 0.9)
    assert points["half"] == [Threshold(0.5, "fixed")] * 2
    for point in ("youden", "sensitivity"):
        assert (
            points[point]
            == [Threshold(0.5, "fixed", "no validation case that was not trained on: 0.5 instead")]
            * 2
        )


def test_a_decision_is_above_the_threshold_of_its_class():
    probabilities = np.array([[0.5, 0.2], [0.51, 0.9]])
    decided = decide(probabilities, [Threshold(0.5, "fixed"), Threshold(0.1, "val")])
    assert decided.tolist() == [[False, True], [True, True]]


def test_temperature_is_the_slope_of_a_logistic_regression():
    rng = np.random.default_rng(8)
    logits = rng.normal(0, 3, 2000)
    labels = (rng.random(2000) < sigmoid(logits / 2.5)).astype(float)
    found = fit_temperature(labels, logits).temperature
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    slope = model.fit(logits[:, None], labels).coef_[0, 0]
    assert found == pytest.approx(1 / slope, rel=1e-4)
    assert found == pytest.approx(2.5, rel=0.1)
    assert log_loss(labels, sigmoid(logits / found)) < log_loss(labels, sigmoid(logits))


def test_temperature_stays_in_bounds_and_says_so():
    apart = fit_temperature(np.array([0.0, 1.0]), np.array([-1.0, 1.0]))
    wrong = fit_temperature(np.array([0.0, 1.0]), np.array([1.0, -1.0]))
    assert (apart.temperature, wrong.temperature) == (COLDEST, HOTTEST)
    assert apart.reason
    assert wrong.reason
    lone = fit_temperature(np.ones(3), np.array([1.0, 2.0, 3.0]))
    assert lone.temperature is None
    assert lone.reason == "no negative case in the validation part"


def test_extreme_logits_do_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        assert sigmoid(np.array([-800.0, 0.0, 800.0])) == pytest.approx([0, 0.5, 1])


def test_reliability_curve_equals_scikit_learn():
    labels, probabilities = noisy(9)
    probabilities = probabilities * 0.99 + 0.001  # off the edges of bins, which it counts downwards
    curve = Reliability(labels, probabilities, 8)
    observed, mean = calibration_curve(labels, probabilities, n_bins=8)
    filled = curve.cases > 0
    assert curve.mean[filled] == pytest.approx(mean)
    found = np.array([each[0] for each in curve.measure(ones(len(labels))).values()])
    assert found[filled] == pytest.approx(observed)
    assert np.isnan(found[~filled]).all()


def split_of(labels: list[str], partition: str = "train") -> pd.DataFrame:
    return pd.DataFrame({"case": range(len(labels)), "label": labels, "partition": partition})


def test_priors_are_shares_of_labelled_training_cases():
    split = pd.concat(
        [split_of(["Mass|Nodule", "Mass", "No Finding", ""]), split_of(["Nodule"], "test")]
    )
    assert priors(split, ("Mass", "Nodule", "Hernia")) == pytest.approx([2 / 3, 1 / 3, 0])
    assert priors(split_of(["", ""]), ("Mass",)) == [None]


def test_choices_survive_json():
    labels, probabilities = noisy(10)
    choices = choices_of(
        sample_of(labels, probabilities), split_of(["abnormal"]), ("abnormal",), 0.9
    )
    assert Choices.from_json(choices.as_json()) == choices
