"""Paired comparison of arms: DeLong's test, the bootstrap and Holm's correction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.metrics import roc_auc_score

from triage.evaluation.arms import Arm
from triage.evaluation.comparison import compare_arms, delong, holm
from triage.evaluation.intervals import Estimate
from triage.evaluation.metrics import METRICS
from triage.evaluation.samples import Sample

# Albumin, total protein, K-G score and whether surgery helped, of patients with ovarian cancer:
# DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988. The results are those that the SAS/STAT
# User's Guide prints for these patients ("Comparing Receiver Operating Characteristic Curves").
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


def test_delong_gives_the_published_areas_errors_and_chi_square():
    albumin, protein, score, helped = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    areas, covariance = delong(helped, np.stack([albumin, 10 - score, protein]))
    assert areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    difference, variance = contrast @ areas, contrast @ covariance @ contrast.T
    statistic = difference @ np.linalg.solve(variance, difference)
    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)


def by_definition(
    labels: np.ndarray, scores: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's components from all pairs, summed by group (Obuchowski 1997)."""
    positive = labels == 1
    sides = np.sign(scores[:, positive, None] - scores[:, None, ~positive])
    wins = (sides + 1) / 2
    auc = wins.mean(axis=(1, 2))
    names = np.unique(groups)
    sums = np.zeros((2, len(scores), len(names)))
    for place, name in enumerate(names):
        mine = wins[:, groups[positive] == name].mean(axis=2) - auc[:, None]
        theirs = wins[:, :, groups[~positive] == name].mean(axis=1) - auc[:, None]
        sums[0, :, place], sums[1, :, place] = mine.sum(axis=1), theirs.sum(axis=1)

    def part(one: int, other: int, count: int) -> np.ndarray:
        sizes = [positive.sum(), (~positive).sum()]
        scale = count / (count - 1) / sizes[one] / sizes[other]
        return scale * sums[one] @ sums[other].T

    with_positive = len(np.unique(groups[positive]))
    with_negative = len(np.unique(groups[~positive]))
    cross = part(0, 1, len(names))
    return auc, part(0, 0, with_positive) + part(1, 1, with_negative) + cross + cross.T


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_fast_delong_equals_its_definition(size: int, ties: bool):
    rng = np.random.default_rng(11)
    labels = (rng.random(60) < 0.4).astype(float)
    scores = rng.normal(labels, 1, (3, 60))
    scores = np.round(scores) if ties else scores
    groups = (np.arange(60) // size).astype(str)
    areas, covariance = delong(labels, scores, groups)
    expected_areas, expected = by_definition(labels, scores, groups)
    assert areas == pytest.approx(expected_areas)
    assert areas == pytest.approx([roc_auc_score(labels, curve) for curve in scores])
    assert covariance == pytest.approx(expected)
    if size == 1:
        plain = delong(labels, scores)[1]
        assert plain == pytest.approx(covariance)
        components = (np.sign(scores[:, labels == 1, None] - scores[:, None, labels == 0]) + 1) / 2
        classic = np.cov(components.mean(axis=2)) / labels.sum()
        classic += np.cov(components.mean(axis=1)) / (1 - labels).sum()
        assert covariance == pytest.approx(classic)


def test_delong_needs_two_groups_of_each_class():
    scores = np.array([[0.1, 0.9, 0.3]])
    assert np.isnan(delong(np.array([0.0, 1.0, 0.0]), scores)[1]).all()
    assert np.isnan(delong(np.array([1.0, 1.0, 1.0]), scores)[0]).all()


def test_holm_gives_the_values_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    corrected = holm([0.02, float("nan"), 0.03])
    assert corrected[0] == pytest.approx(0.04)
    assert math.isnan(corrected[1])
    assert holm([]) == []


def arm(name: str, scores: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None) -> Arm:
    """An arm of one run a row of ``scores``; its replicates only serve to run the tests."""
    cases = np.array([f"c{i:03d}" for i in range(len(labels))])
    samples = tuple(
        Sample(
            cases,
            cases if groups is None else groups,
            ("abnormal",),
            labels[:, None],
            row[:, None],
            row[:, None],
        )
        for row in scores
    )
    values = {(0, seed): float(auc) for seed, auc in enumerate(delong(labels, scores)[0])}
    replicates = np.random.default_rng(0).normal(np.mean(list(values.values())), 0.03, 50)
    mean = float(np.mean(list(values.values())))
    found = Estimate(mean, mean - 0.06, mean + 0.06, None, replicates)
    return Arm(name, samples, *(dict.fromkeys(METRICS, each) for each in (values, found)))


def two_arms(seed: int, gain: float) -> list[Arm]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(200) % 2).astype(float)
    plain = rng.normal(labels, 1, (2, 200))
    return [arm("plain", plain, labels), arm("better", plain + gain * labels, labels)]


def test_delong_finds_a_gain_and_no_gain():
    found = {each.metric: each for each in compare_arms(two_arms(12, 0.8), "plain", 0.95)}
    auc = found["roc_auc"]
    assert (auc.reference, auc.arm, auc.test) == ("plain", "better", "DeLong")
    assert 0 < auc.low < auc.difference < auc.high
    assert auc.p < 0.001
    assert found["f1"].test == "bootstrap"
    (same,) = [
        each for each in compare_arms(two_arms(13, 0.0), "plain", 0.95) if each.metric == "roc_auc"
    ]
    assert (same.difference, same.p) == (0, 1)
    assert same.low <= 0 <= same.high
    assert same.reason.startswith("no variance")


def test_delong_of_no_difference_is_rarely_significant():
    rng = np.random.default_rng(14)
    labels = (np.arange(100) % 2).astype(float)
    false_alarms = 0
    for _ in range(300):
        arms = [arm(name, rng.normal(labels, 1, (1, 100)), labels) for name in ("a", "b")]
        false_alarms += compare_arms(arms, "a", 0.95)[0].p < 0.05
    assert 0.02 <= false_alarms / 300 <= 0.09


def test_few_cases_of_a_class_are_rarely_significant_too():
    rng = np.random.default_rng(17)
    labels = np.repeat([1.0, 0.0], (5, 100))
    false_alarms = 0
    for _ in range(300):
        arms = [arm(name, rng.normal(1.5 * labels, 1, (1, 105)), labels) for name in ("a", "b")]
        auc = compare_arms(arms, "a", 0.95)[0]
        false_alarms += not auc.low <= 0 <= auc.high
    assert false_alarms / 300 <= 0.1


@pytest.mark.parametrize("gain", [-0.8, 0.1, 0.3, 0.5, 0.8])
def test_no_p_value_says_more_than_the_interval(gain: float) -> None:
    for each in compare_arms(two_arms(18, gain), "plain", 0.95):
        if each.p < 0.05:
            assert each.low > 0 or each.high < 0


def test_p_values_are_corrected_for_the_arms_compared():
    arms = [*two_arms(12, 0.3), arm("other", *_other())]
    first, second = (each for each in compare_arms(arms, "plain", 0.95) if each.metric == "roc_auc")
    assert [first.p_holm, second.p_holm] == pytest.approx(holm([first.p, second.p]))


def _other() -> tuple[np.ndarray, np.ndarray]:
    labels = (np.arange(200) % 2).astype(float)
    return np.random.default_rng(15).normal(labels, 1, (1, 200)), labels


def test_arms_on_other_cases_are_not_compared():
    labels = (np.arange(100) % 2).astype(float)
    small = arm("small", np.random.default_rng(16).normal(labels, 1, (1, 100)), labels)
    for each in compare_arms([two_arms(12, 0.3)[0], small], "plain", 0.95):
        assert math.isnan(each.p)
        assert each.reason == "the arms are not measured on the same cases"
