"""The numbers behind the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

import results_studies
import results_tree
from evaluated import evaluate_run
from figure_settings import SETTINGS, member
from triage.evaluation.arms import Run
from triage.evaluation.samples import sample_of
from triage.figures import arms, bands, decisions, mistakes, panels, runs, scores, shares
from triage.figures.panels import Panel
from triage.task import Task

CASES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(1, 3)), min_size=2, max_size=30
).filter(lambda rows: {label for label, _, _ in rows} == {0, 1})


@given(CASES)
def test_roc_points_are_those_of_scikit_learn(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = (np.array(each, float) for each in zip(*rows, strict=True))
    false, true = bands.roc_points(labels, scores / 8, weights[None])
    area = np.trapezoid(true[0], false[0])
    assert area == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    theirs = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(false[0], theirs[0])
    np.testing.assert_allclose(true[0], theirs[1])


@given(CASES)
def test_precision_is_that_of_scikit_learn(rows: list[tuple[int, int, int]]) -> None:
    labels, scores, weights = (np.array(each, float) for each in zip(*rows, strict=True))
    recall, precision = bands.precision_recall_points(labels, scores / 8, weights[None])
    area = float(np.sum(np.diff(recall[0], prepend=0) * precision[0]))
    assert area == pytest.approx(average_precision_score(labels, scores, sample_weight=weights))
    grid = bands.precision_recall(labels, scores / 8, weights[None])[0]
    for level in (0.25, 0.5, 1.0):
        reached = precision[0][np.flatnonzero(recall[0] >= level - 1e-9)[0]]
        assert grid[np.flatnonzero(np.isclose(bands.GRID, level))[0]] == pytest.approx(reached)


def test_a_band_holds_its_curve_and_is_drawn_by_the_seed() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    probabilities = 1 / (1 + np.exp(-rng.normal(labels, 1)))
    arm = runs.Arm("a", (member(labels.tolist(), probabilities.tolist()),))
    first, again = (bands.band(arm, 0, bands.roc, SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.low, again.low)
    inside = (first.low <= first.middle + 1e-9) & (first.middle <= first.high + 1e-9)
    assert inside.mean() > 0.97
    assert (first.high - first.low).max() > 0.1


def test_reliability_is_the_share_of_positives_in_each_bin() -> None:
    labels = np.array([0, 1, 1, 1, 0])
    probabilities = np.array([0.05, 0.15, 0.55, 0.52, 1.0])
    shares = bands.reliability(10)(labels, probabilities, np.ones((1, 5)))[0]
    expected = [0, 1, *[np.nan] * 3, 1, *[np.nan] * 3, 0]
    np.testing.assert_array_equal(shares, expected)


def test_a_resample_without_a_positive_has_no_precision() -> None:
    labels, probabilities = np.array([0.0, 1, 0]), np.array([0.95, 0.9, 0.4])
    weights = np.array([[1.0, 1, 1], [2, 0, 1]])
    whole, without = bands.precision_recall(labels, probabilities, weights)
    assert (whole == 0.5).all()
    assert np.isnan(without).all()


def test_points_on_which_all_resamples_agree_have_an_interval_too() -> None:
    probabilities = [0.05, 0.07, *np.linspace(0.41, 0.49, 20), 0.95]
    labels = [0, 0, *([0, 1] * 10), 1]
    panel = Panel(runs.Arm("a", (member(labels, probabilities),)), 0, "a", ("no", "yes"), "test")
    found = scores.calibration(panel, SETTINGS)
    np.testing.assert_array_equal(found.share, [0, 0.5, 1])
    for place, draws in ((0, 1), (2, 1)):  # two cases of one group, and a single one
        wrong = int(found.share[place])
        theirs = binomtest(wrong, draws).proportion_ci(0.95)
        assert (found.low[place], found.high[place]) == pytest.approx((theirs.low, theirs.high))
    assert 0.1 < found.low[1] < 0.5 < found.high[1] < 0.9


def test_shares_of_one_run_have_the_intervals_of_its_metrics() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), rng.integers(1, 6, 30))
    cases = [f"c{i:03d}" for i in range(len(groups))]
    labels = (groups + rng.integers(0, 5, len(groups)) > 20).astype(int)
    logits = rng.normal(labels, 1)
    columns = {"case": cases, "class": "yes", "label": labels, "logit": logits}
    predictions = pd.DataFrame(columns | {"probability": 1 / (1 + np.exp(-logits))})
    split = pd.DataFrame({"case": cases, "group": groups, "label": "", "partition": "test"})
    metrics = evaluate_run(predictions, predictions, split, results_tree.EVALUATION)
    sample = sample_of(predictions, split)
    assert sample is not None
    arm = runs.Arm("a", (runs.Member(Run("a", 0, 1, metrics, sample), sample),))
    for truth, metric in ((1, "recall"), (0, "specificity")):
        among = labels == truth
        found = shares.share(arm.mean, arm.wrong(0) & among, among, SETTINGS)
        page = metrics["partitions"]["test"]["metrics"][metric]
        expected = [1 - page[key] for key in ("value", "high", "low")]
        assert found == pytest.approx(expected)


def test_where_all_resamples_agree_a_share_counts_groups() -> None:
    arm = runs.Arm("a", (member([1] * 6, [0.2] * 6),))
    among = np.full(6, True)
    theirs = binomtest(3, 3).proportion_ci(0.95)
    found = shares.share(arm.mean, arm.wrong(0), among, SETTINGS)
    assert found == pytest.approx((1, theirs.low, 1))


def test_steps_of_a_chain_have_the_intervals_of_the_table(tmp_path: Path) -> None:
    tree = results_tree.Tree(tmp_path, results_studies.LESIONS)
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    folders, winner = tree.runs("predictions/*/*"), tree.results / "winner.json"
    found = runs.read_results(tree.runs("metrics/*/*.json"), folders, [tree.split], winner)
    assert found is not None
    table = pd.read_csv(tree.results / "table.csv").set_index("arm")
    measured = arms.measured(found, SETTINGS)
    assert list(measured) == sorted(results_tree.ARMS)
    for arm in measured.values():
        for metric in arms.STEPS:
            columns = [metric, f"{metric}_low", f"{metric}_high"]
            mean = arm.means[metric]
            estimate = (mean.value, mean.low, mean.high)
            np.testing.assert_allclose(estimate, table.loc[arm.name, columns].astype(float))


def test_the_mean_of_runs_covers_every_case_once() -> None:
    arm = runs.Arm("a", (member([0, 1], [0.2, 0.6]), member([0, 1, 1], [0.4, 0.8, 0.9])))
    assert arm.mean.cases.tolist() == ["c0", "c1", "c2"]
    np.testing.assert_allclose(arm.mean.probabilities[:, 0], [0.3, 0.7, 0.9])


def test_the_surest_mistakes_come_first() -> None:
    arm = runs.Arm("a", (member([1, 1, 1, 0, 0], [0.4, 0.1, 0.9, 0.7, 0.2]),))
    panel = Panel(arm, 0, "a", ("no", "yes"), "test")
    assert [each.case for each in mistakes.surest([panel], 1, 5)] == ["c1", "c0"]
    assert [each.case for each in mistakes.surest([panel], 1, 1)] == ["c1"]
    assert [each.case for each in mistakes.surest([panel], 0, 5)] == ["c3"]


def test_each_fold_decides_at_its_own_threshold() -> None:
    rng = np.random.default_rng(0)
    members = []
    for fold, threshold in enumerate((0.05, 0.2, 0.6, 0.95), 1):
        labels = rng.integers(0, 2, 50)
        logits = np.log(threshold / (1 - threshold)) + rng.normal(1.2 * (2 * labels - 1), 1)
        probabilities = (1 / (1 + np.exp(-logits))).tolist()
        members.append(member(labels.tolist(), probabilities, threshold, fold))
    arm = runs.Arm("a", tuple(members))
    panel = Panel(arm, 0, "a", ("no", "yes"), "test")
    matrices = np.sum([decisions._matrix(each, 0) for each in members], axis=0)
    for truth in (0, 1):
        found = mistakes.surest([panel], truth, 200)
        assert len(found) == matrices[truth, 1 - truth]
        assert arm.wrong(0)[arm.mean.labels[:, 0] == truth].sum() == len(found)
    assert 0 < arm.wrong(0).sum() < 50
    margins = [each.margin for each in mistakes.surest([panel], 1, 200)]
    assert margins == sorted(margins, reverse=True)


def test_runs_on_the_same_case_decide_together() -> None:
    truth = [1, 1, float("nan")]
    first = member(truth, [0.65, 0.2, 0.9], threshold=0.6)
    others = [member(truth, [0.5, 0.6, 0.9], threshold) for threshold in (0.4, 0.5)]
    arm = runs.Arm("a", (first, *others))
    np.testing.assert_allclose(arm.margins(0), [0.05, -0.1 / 3, 0.4])
    assert arm.wrong(0).tolist() == [False, True, False], "an unknown label is no mistake"


@pytest.mark.parametrize("curve", [bands.roc, bands.precision_recall])
def test_a_class_of_which_no_case_is_known_is_not_drawn(curve: bands.Curve) -> None:
    known, unknown = member([0, 1, 0, 1], [0.2, 0.4, 0.6, 0.8]), member([np.nan] * 4, [0.5] * 4)
    both = np.hstack([known.sample.labels, unknown.sample.labels])
    sample = replace(known.sample, classes=("yes", "other"), labels=both)
    arm = runs.Arm("a", (replace(known, sample=sample),))
    found = panels.panels(
        SimpleNamespace(winner=arm, partition="test"), replace(SETTINGS, task=Task.MULTILABEL)
    )
    assert [panel.title for panel in found] == ["yes"]
    alone = bands.band(runs.Arm("a", (known,)), 0, curve, SETTINGS)
    beside = bands.band(runs.Arm("a", (known, unknown)), 0, curve, SETTINGS)
    np.testing.assert_array_equal(alone.middle, beside.middle)
