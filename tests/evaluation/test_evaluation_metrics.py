"""Metrics against scikit-learn, and what must hold for any labels, scores and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn import metrics as reference

from triage.evaluation.metrics import (
    METRICS,
    OUTCOMES,
    Decision,
    Probability,
    Ranking,
    ones,
    reason,
)

BINS = 10


def every_metric(
    labels: np.ndarray,
    probabilities: np.ndarray,
    decided: np.ndarray,
    counts: np.ndarray,
    bins: int = BINS,
) -> dict[str, np.ndarray]:
    found = {
        **Ranking(labels, probabilities).measure(counts),
        **Decision(labels, decided).measure(counts),
        **Probability(labels, probabilities, bins).measure(counts),
    }
    return {metric: found[metric] for metric in METRICS}


def sample(seed: int, cases: int = 200, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(cases) < 0.35).astype(float)
    probabilities = 1 / (1 + np.exp(-rng.normal(1.5 * labels - 0.7, 1)))
    return labels, np.round(probabilities, 1) if ties else probabilities


def expected(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float, weights: np.ndarray
) -> dict[str, float]:
    decided = probabilities > threshold
    weigh = {"sample_weight": weights}
    return {
        "roc_auc": reference.roc_auc_score(labels, probabilities, **weigh),
        "average_precision": reference.average_precision_score(labels, probabilities, **weigh),
        "accuracy": reference.accuracy_score(labels, decided, **weigh),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, decided, **weigh),
        "precision": reference.precision_score(labels, decided, **weigh),
        "recall": reference.recall_score(labels, decided, **weigh),
        "specificity": reference.recall_score(labels, decided, pos_label=0, **weigh),
        "f1": reference.f1_score(labels, decided, **weigh),
        "brier": reference.brier_score_loss(labels, probabilities, **weigh),
        "log_loss": reference.log_loss(labels, probabilities, **weigh),
        "ece": calibration_error(labels, probabilities, weights),
    }


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> float:
    total = 0.0
    for low in range(BINS):
        inside = (probabilities * BINS >= low) & (
            (probabilities * BINS < low + 1) | (low == BINS - 1)
        )
        if weights[inside].sum():
            gap = np.average(probabilities[inside], weights=weights[inside])
            gap -= np.average(labels[inside], weights=weights[inside])
            total += abs(gap) * weights[inside].sum()
    return total / weights.sum()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("threshold", [0.25, 0.5])
def test_every_round_equals_scikit_learn_with_these_weights(ties: bool, threshold: float):
    labels, probabilities = sample(1, ties=ties)
    weights = np.random.default_rng(2).integers(0, 4, (5, len(labels))).astype(float)
    found = every_metric(labels, probabilities, probabilities > threshold, weights, BINS)
    assert tuple(found) == METRICS
    for number, row in enumerate(weights):
        for metric, value in expected(labels, probabilities, threshold, row).items():
            assert found[metric][number] == pytest.approx(value, abs=1e-10), metric


def test_confusion_counts_equal_scikit_learn():
    labels, probabilities = sample(3)
    counts = Decision(labels, probabilities > 0.4).confusion(ones(len(labels)))[0]
    tn, fp, fn, tp = reference.confusion_matrix(labels, probabilities > 0.4).ravel()
    assert dict(zip(OUTCOMES, counts, strict=True)) == {
        "true_positive": tp,
        "false_positive": fp,
        "false_negative": fn,
        "true_negative": tn,
    }


few_scores = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 1.0])
samples = st.integers(1, 12).flatmap(
    lambda cases: st.tuples(
        arrays(float, cases, elements=st.sampled_from([0.0, 1.0])),
        arrays(float, cases, elements=few_scores),
        arrays(int, cases, elements=st.integers(0, 3)),
    )
)


@given(samples)
def test_weighting_is_repetition(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]):
    labels, probabilities, counts = drawn
    weighted = every_metric(labels, probabilities, probabilities > 0.5, counts[None].astype(float))
    again = np.repeat(np.arange(len(labels)), counts)
    labels, probabilities = labels[again], probabilities[again]
    repeated = every_metric(labels, probabilities, probabilities > 0.5, ones(len(again)))
    for metric in METRICS:
        assert weighted[metric] == pytest.approx(repeated[metric], abs=1e-12, nan_ok=True)


@given(samples)
def test_undefined_is_nan_with_a_reason_and_defined_has_none(
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
):
    labels, probabilities, _ = drawn
    decided = probabilities > 0.5
    found = every_metric(labels, probabilities, decided, ones(len(labels)))
    for metric in METRICS:
        assert np.isnan(found[metric][0]) == (reason(metric, labels, decided) is not None), metric


@given(samples)
def test_roc_auc_is_the_share_of_pairs_in_order(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]):
    labels, scores, _ = drawn
    pairs = np.sign(scores[labels == 1][:, None] - scores[labels == 0][None])
    by_hand = (pairs.mean() + 1) / 2 if pairs.size else float("nan")
    found = Ranking(labels, scores).measure(ones(len(labels)))["roc_auc"][0]
    assert found == pytest.approx(by_hand, nan_ok=True)


@given(samples)
def test_ranking_sees_only_the_order_of_scores(drawn: tuple[np.ndarray, np.ndarray, np.ndarray]):
    labels, scores, counts = drawn
    weights = counts[None].astype(float)
    plain = Ranking(labels, scores).measure(weights)
    bent = Ranking(labels, np.exp(3 * scores) - 7).measure(weights)
    turned = Ranking(1 - labels, -scores).measure(weights)
    for metric in ("roc_auc", "average_precision"):
        assert plain[metric] == pytest.approx(bent[metric], nan_ok=True)
    assert plain["roc_auc"] == pytest.approx(turned["roc_auc"], nan_ok=True)


@pytest.mark.parametrize(
    ("labels", "probabilities", "undefined"),
    [
        ([], [], set(METRICS)),
        ([0, 0], [0.2, 0.9], {"roc_auc", "average_precision", "balanced_accuracy", "recall", "f1"}),
        ([1, 1], [0.2, 0.9], {"roc_auc", "average_precision", "balanced_accuracy", "specificity"}),
        ([0, 1], [0.2, 0.3], {"precision"}),
        (
            [0, 0],
            [0.2, 0.3],
            {"roc_auc", "average_precision", "balanced_accuracy", "recall", "precision", "f1"},
        ),
    ],
)
def test_what_is_undefined_when(labels: list[int], probabilities: list[float], undefined: set[str]):
    y, p = np.array(labels, dtype=float), np.array(probabilities, dtype=float)
    found = every_metric(y, p, p > 0.5, ones(len(y)))
    assert {metric for metric in METRICS if np.isnan(found[metric][0])} == undefined


def test_certain_and_wrong_has_a_finite_log_loss():
    found = every_metric(np.ones(2), np.array([0.0, 1.0]), np.array([False, True]), ones(2))
    assert found["log_loss"][0] == pytest.approx(
        reference.log_loss([1, 1], [0.0, 1.0], labels=[0, 1])
    )


def test_auc_of_thresholded_predictions_is_not_the_auc():
    """A source fed decisions to the AUC of a library: 0.747 where the scores had 0.855."""
    negatives, positives = (
        norm.ppf((np.arange(617) + 0.5) / 617),
        norm.ppf((np.arange(360) + 0.5) / 360),
    )
    scores = np.concatenate([negatives, positives + 1.5])
    labels = (np.arange(977) >= 617).astype(float)
    decided = scores > 1.0625  # the source's specificity, 0.856
    mistaken = Ranking(labels, decided.astype(float)).measure(ones(977))["roc_auc"][0]
    right = Ranking(labels, scores).measure(ones(977))["roc_auc"][0]
    balanced = Decision(labels, decided).measure(ones(977))["balanced_accuracy"][0]
    assert mistaken == pytest.approx(balanced)
    assert mistaken == pytest.approx(0.747, abs=0.02)
    assert right == pytest.approx(0.855, abs=0.002)
