"""Resamples of groups, the intervals from them, and the spread over seeds and folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from triage.evaluation import bootstrap
from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.choices import choices_of
from triage.evaluation.evaluate import EvaluationSettings, summarise
from triage.evaluation.intervals import estimate, spread
from triage.evaluation.metrics import Probability, Ranking, columns, ones
from triage.evaluation.samples import Sample

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


def auc_interval(
    labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, rounds: int = 400, seed: int = 0
) -> tuple[float, float]:
    group = codes(groups)
    measure = Ranking(labels, scores).measure
    replicates = np.concatenate(
        [
            measure(columns(counts, group))["roc_auc"]
            for counts in group_counts(group.max() + 1, rounds, seed)
        ]
    )
    value = measure(ones(len(labels)))["roc_auc"][0]
    found = estimate("roc_auc", value, replicates, 0.95)
    return found.low, found.high


def test_interval_covers_the_truth_about_as_often_as_it_says():
    # Two normals one apart: the true AUC is Phi(1 / sqrt 2).
    truth, hits, trials = 0.7602, 0, 200
    rng = np.random.default_rng(5)
    for trial in range(trials):
        labels = (np.arange(120) < 50).astype(float)
        scores = rng.normal(labels, 1)
        low, high = auc_interval(labels, scores, np.arange(120).astype(str), seed=trial)
        hits += low <= truth <= high
    assert 0.90 <= hits / trials <= 0.99


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
        probabilities = rng.random(300)
        labels = (rng.random(300) < probabilities).astype(float)
        measure = Probability(labels, probabilities, 10).measure
        replicates = np.concatenate(
            [measure(counts)["ece"] for counts in group_counts(300, 300, seed)]
        )
        value = measure(ones(300))["ece"][0]
        found = estimate("ece", value, replicates, 0.95)
        assert 0 <= found.low <= value <= found.high
        reached += found.low < 0.01
        assert np.quantile(replicates, 0.025) > 0.02  # where a percentile interval would start
    assert reached > 20


def test_undefined_resamples_are_counted():
    found = estimate("recall", 0.5, np.array([0.4, NAN, 0.6, 0.5]), 0.95)
    assert found.undefined == 1
    assert 0.4 <= found.low < found.high <= 0.6
    found = estimate("recall", 0.5, np.array([0.4, NAN, NAN, NAN]), 0.95)
    assert found.as_json() == {
        "value": 0.5,
        "low": None,
        "high": None,
        "undefined": 3,
        "reason": "no interval: undefined in 3 of 4 resamples",
    }


def test_undefined_value_keeps_its_reason():
    found = estimate("recall", NAN, np.array([NAN, NAN]), 0.95, "no positive case")
    assert found.as_json()["value"] is None
    assert found.reason == "no positive case"


def test_resamples_without_spread_give_no_interval():
    found = estimate("roc_auc", 1.0, np.ones(50), 0.95)
    assert np.isnan(found.low)
    assert found.reason == "no interval: every resample has the same value"


def test_intervals_of_a_mean_average_precision_over_rare_classes_cover_it():
    """The percentile interval does in 1 of 10 studies: resampling adds to each class's value."""
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
