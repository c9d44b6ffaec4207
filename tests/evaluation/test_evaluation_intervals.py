"""Resamples of groups, the intervals from them, and the spread over seeds and folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from sklearn.metrics import average_precision_score

from triage.evaluation import bootstrap
from triage.evaluation.bootstrap import group_counts
from triage.evaluation.choices import choices_of
from triage.evaluation.evaluate import summarise
from triage.evaluation.intervals import Support, estimate, share_limits, spread
from triage.evaluation.samples import Sample
from triage.evaluation.settings import EvaluationSettings

NAN = float("nan")


def all_counts(groups: int, rounds: int, seed: int, width: int = 0) -> np.ndarray:
    return np.concatenate(list(group_counts(groups, rounds, seed, width)))


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_every_resample_draws_as_many_groups_as_there_are(groups: int, rounds: int, seed: int):
    counts = all_counts(groups, rounds, seed)
    assert counts.shape == (rounds, groups)
    assert (counts.sum(axis=1) == groups).all()
    assert (counts >= 0).all()


def test_draws_depend_on_the_seed_and_not_on_the_blocks(monkeypatch: pytest.MonkeyPatch):
    plain = all_counts(7, 50, seed=3)
    assert not np.array_equal(plain, all_counts(7, 50, seed=4))
    assert np.array_equal(plain, all_counts(7, 50, seed=3, width=30_000))
    monkeypatch.setattr(bootstrap, "HELD", 20)
    assert np.array_equal(plain, all_counts(7, 50, seed=3))


def test_draws_are_uniform():
    counts = all_counts(20, 4000, seed=0)
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.08)
    assert counts.var() == pytest.approx(1 - 1 / 20, abs=0.05)


def page_of(
    labels: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:
    """The metrics of a run whose threshold is 0.5, of probabilities that are logistic."""
    ids = np.array([f"case {i:03d}" for i in range(len(labels))])
    columns = (each[:, None] for each in (labels, scores, 1 / (1 + np.exp(-scores))))
    sample = Sample(ids, ids if groups is None else groups, ("yes",), *columns)
    choices = choices_of(None, pd.DataFrame({"partition": [], "label": []}), ("yes",), 0.9)
    settings = EvaluationSettings(replicates=200, seed=seed)
    return summarise(sample, choices, settings)["metrics"]


def auc_interval(
    labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, seed: int = 0
) -> tuple[float, float]:
    found = page_of(labels, scores, groups, seed)["roc_auc"]
    return found["low"], found["high"]


@pytest.mark.parametrize(("positives", "negatives"), [(50, 70), (20, 200), (20, 20)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(positives: int, negatives: int):
    """Of well separated classes: an AUC of 0.95, with a sensitivity and specificity of 0.878."""
    apart, trials = np.sqrt(2) * norm.ppf(0.95), 100
    truth = {"roc_auc": 0.95, "recall": norm.cdf(apart / 2), "specificity": norm.cdf(apart / 2)}
    truth["balanced_accuracy"] = truth["recall"]
    hits = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(5)
    for trial in range(trials):
        labels = (np.arange(positives + negatives) < positives).astype(float)
        scores = rng.normal(apart * (labels - 0.5), 1)
        page = page_of(labels, scores, seed=trial)
        for metric, value in truth.items():
            hits[metric] += page[metric]["low"] <= value <= page[metric]["high"]
    assert min(hits.values()) >= 0.9 * trials


def test_groups_of_like_cases_widen_the_interval():
    rng = np.random.default_rng(6)
    patients, images = 40, 5
    labels = np.repeat(np.arange(patients) % 2, images).astype(float)
    shared = np.repeat(rng.normal(0, 1, patients), images)
    scores = labels + shared + rng.normal(0, 0.2, patients * images)
    patient = np.repeat(np.arange(patients), images).astype(str)
    low, high = auc_interval(labels, scores, patient)
    naive_low, naive_high = auc_interval(labels, scores, np.arange(len(labels)).astype(str))
    assert high - low > 1.5 * (naive_high - naive_low)


def test_interval_of_the_calibration_error_reaches_down_to_a_calibrated_model():
    rng = np.random.default_rng(7)
    reached = 0
    for seed in range(40):
        logits = rng.normal(0, 1.5, 300)
        labels = (rng.random(300) < 1 / (1 + np.exp(-logits))).astype(float)
        found = page_of(labels, logits, seed=seed)["ece"]
        assert 0 <= found["low"] <= found["value"] <= found["high"]
        reached += found["low"] < 0.01
    assert reached >= 36


def test_undefined_resamples_are_counted():
    found = estimate("recall", 0.5, np.array([0.4, NAN, 0.6, 0.5]), Support(9, 9), 0.95)
    assert found.as_json()["undefined"] == 1
    found = estimate("recall", 0.5, np.array([0.4, NAN, NAN, NAN]), Support(9, 9), 0.95)
    assert found.as_json()["undefined"] == 3
    assert found.low < 0.5 < found.high


def test_undefined_value_keeps_its_reason():
    found = estimate("recall", NAN, np.array([NAN, NAN]), Support(9, 9), 0.95, "no positive case")
    assert found.as_json()["value"] is None
    assert found.reason == "no positive case"


@given(st.integers(1, 500), st.data())
def test_a_share_of_independent_cases_has_the_exact_interval(count: int, drawn: st.DataObject):
    hits = drawn.draw(st.integers(0, count))
    variance = hits / count * (1 - hits / count) / count * (count - 1) / count
    low, high = share_limits(hits / count, variance, count, count, 0.95)
    exact = binomtest(hits, count).proportion_ci(0.95)
    assert (float(low), float(high)) == pytest.approx((exact.low, exact.high), abs=1e-6)


@given(st.floats(0, 1), st.floats(0, 0.25), st.integers(1, 1000), st.integers(1, 1000))
def test_every_share_has_an_interval_that_holds_it(
    value: float, variance: float, cases: int, groups: int
):
    low, high = share_limits(value, variance, cases, min(cases, groups), 0.95)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 1e-4


def test_a_ranking_without_a_mistake_is_not_sure():
    labels = (np.arange(40) < 20).astype(float)
    page = page_of(labels, 4 * labels - 2)
    assert page["roc_auc"]["value"] == page["recall"]["value"] == page["roc_auc"]["high"] == 1
    assert 0.85 < page["roc_auc"]["low"] < 0.95
    assert page["recall"]["low"] == pytest.approx(binomtest(20, 20).proportion_ci(0.95).low)
    for metric, each in page.items():
        assert each["low"] < each["high"], metric


def test_many_images_of_few_patients_count_as_patients():
    labels = np.repeat([1.0, 0.0], 100)
    patients = np.repeat(np.arange(10), 20).astype(str)
    page = page_of(labels, 4 * labels - 2, patients)
    assert page["recall"]["low"] == pytest.approx(binomtest(5, 5).proportion_ci(0.95).low)


def test_intervals_of_a_mean_average_precision_over_rare_classes_cover_it():
    """Where resampling adds to each class's value."""
    classes, cases, strength, covered = 12, 160, 1.0, 0
    names = tuple(f"finding {i}" for i in range(classes))
    true = _average_precision(strength, 0.05)
    for study in range(30):
        rng = np.random.default_rng(study)
        labels = (rng.random((cases, classes)) < 0.05).astype(float)
        labels[:2] = 1
        logits = rng.normal(strength * (2 * labels - 1), 1)
        ids = np.array([f"case {i}" for i in range(cases)])
        sample = Sample(ids, ids, names, labels, logits, 1 / (1 + np.exp(-logits)))
        choices = choices_of(None, pd.DataFrame({"partition": [], "label": []}), names, 0.9)
        page = summarise(sample, choices, EvaluationSettings(replicates=200))
        found = page["metrics"]["average_precision"]
        covered += found["low"] <= true <= found["high"]
    assert covered >= 20


def _average_precision(strength: float, prevalence: float) -> float:
    """Of normal scores with so far apart means, from many cases."""
    rng = np.random.default_rng(0)
    labels = (rng.random(400_000) < prevalence).astype(float)
    scores = rng.normal(strength * (2 * labels - 1), 1)
    return float(average_precision_score(labels, scores))


def test_spread_keeps_seeds_and_folds_apart():
    values = {(0, 1): 0.7, (0, 2): 0.8, (1, 1): 0.9, (1, 2): 0.9, (2, 1): 0.6}
    found = spread(values)
    assert found.over_seeds == pytest.approx(np.sqrt((0.005 + 0) / 2))
    assert found.over_folds == pytest.approx(np.std([0.75, 0.9, 0.6], ddof=1))


def test_spread_of_one_seed_or_fold_is_undefined():
    one = spread({(0, 1): 0.7})
    assert np.isnan([one.over_seeds, one.over_folds]).all()
    gap = spread({(0, 1): NAN, (0, 2): 0.5})
    assert np.isnan(gap.over_seeds)
    assert np.isnan(spread({}).over_folds)


def test_a_brier_score_over_classes_reaches_from_0_to_2():
    rounds = np.random.default_rng(3).normal(0.6, 0.05, 500)
    one = estimate("brier", 0.6, rounds, Support(np.inf, 40), 0.95)
    twice = estimate("brier", 1.2, 2 * rounds, Support(np.inf, 40), 0.95, span=(0.0, 2.0))
    assert 0.4 < one.low < 0.6 < one.high < 0.8
    assert (twice.low, twice.high) == pytest.approx((2 * one.low, 2 * one.high))
