"""The numbers behind the pictures, and their files."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

import results_tree
from evaluated import evaluate_run
from triage.data.image_store import Images
from triage.evaluation.arms import Run
from triage.evaluation.samples import Sample, sample_of
from triage.figures import (
    arms,
    bands,
    curves,
    data,
    decisions,
    explained,
    external,
    mistakes,
    panels,
    results,
    runs,
    scores,
    shares,
    slices,
    spots,
    style,
    subsets,
    tiles,
)
from triage.figures.panels import Panel
from triage.figures.settings import Compared, ExploreSettings, FigureSettings
from triage.task import Task

SETTINGS = FigureSettings(
    classes=("no", "yes"),
    task=Task.BINARY,
    cases=4,
    confidence=0.95,
    replicates=100,
    seed=results_tree.EVALUATION.seed,
    bins=10,
    pseudonyms=False,
    compared=None,
)
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


def member(
    labels: Sequence[float], probabilities: Sequence[float], threshold: float = 0.5, fold: int = 0
) -> runs.Member:
    """A run on cases of its fold, two of them a group."""
    prefix = f"{fold}-" if fold else ""
    names = np.array([f"{prefix}c{i}" for i in range(len(labels))])
    groups = np.array([f"{prefix}g{i // 2}" for i in range(len(labels))])
    column = np.array(probabilities, float)[:, None]
    truth = np.array(labels, float)[:, None]
    logits = np.log(column / (1 - column))
    sample = Sample(names, groups, ("yes",), truth, logits, column)
    choices = {"yes": {"operating_points": {"half": {"threshold": threshold}}}}
    return runs.Member(
        Run("a", fold, 1, {"choices": choices, "operating_point": "half"}, sample), sample
    )


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
    tree = results_tree.Tree(tmp_path, results_tree.LESIONS)
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


def test_slices_are_those_of_an_arm_that_sees_slices(tmp_path: Path) -> None:
    def write(arm: str, seed: int, rows: str) -> Path:
        path = tmp_path / arm / f"fold0-seed{seed}" / "slices.csv"
        path.parent.mkdir(parents=True)
        path.write_text("case,index,class,logit,probability\n" + rows)
        return path

    paths = [
        write("lstm", 1, ""),
        write("cnn", 1, "a,4,x,0,0.2\na,10,x,0,0.4\n"),
        write("cnn", 2, "a,4,x,0,0.4\na,10,x,0,0.8\n"),
    ]
    found = slices.read_slices(paths, "lstm")
    assert found.arm == "cnn"
    assert found.of("x").columns.tolist() == [4, 10]
    np.testing.assert_allclose(found.of("x").loc["a"], [0.3, 0.6])
    assert not slices.read_slices(paths[:1], "lstm").tables


def test_a_sheet_puts_every_image_in_its_place() -> None:
    grey, colour = np.full((4, 6), 0.5, np.float32), np.zeros((4, 6, 3), np.float32)
    shown = tiles.sheet([[grey, colour], [None, grey]])
    height, width = shown.cell
    assert shown.picture.shape == (2 * height, tiles.LEAST_COLUMNS * width, 3)
    assert (shown.picture[:4, :6] == 0.5).all()
    assert (shown.picture[:4, width : width + 6] == 0).all()
    assert (shown.picture[height:, :width] == 1).all()


def test_the_metric_that_keeps_an_epoch_is_drawn_beside_the_accuracy(tmp_path: Path) -> None:
    paths = []
    for arm in ("by_auc", "by_loss"):
        paths.append(tmp_path / arm / "fold0-seed1" / "history.csv")
        paths[-1].parent.mkdir(parents=True)
        header = "epoch,loss,accuracy,val_loss,val_accuracy,val_auc"
        paths[-1].write_text(f"{header}\n1,0.7,0.5,0.7,0.5,0.1\n2,0.6,0.6,0.8,0.5,0.9\n")
    figure = curves.curves(paths, selection={"by_auc": "auc", "by_loss": "loss"})
    loss, accuracy, _, other = figure.axes
    assert loss.get_title() == "by_auc: best ROC AUC kept"
    assert (accuracy.get_ylabel(), other.get_ylabel()) == ("accuracy, ROC AUC", "accuracy")
    assert any(list(line.get_ydata()) == [0.1, 0.9] for line in accuracy.lines)
    low, high = accuracy.get_ylim()
    assert low < 0.1 < 0.9 < high
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["training", "validation", "ROC AUC on validation", "kept epoch"]
    once = curves.curves([paths[0]], selection={"by_auc": "last"})
    assert once.axes[1].get_ylabel() == "accuracy"


def test_captions_stand_above_the_images_and_not_on_them() -> None:
    image = np.zeros((40, 60), np.float32)
    shown = tiles.sheet([[image, image], [image]], {1: ["a case\np = 0.10"]})
    (first, second), height = shown.tops, shown.cell[0]
    assert first == 0
    room = second - height
    assert (shown.picture[height : int(second)] == 1).all()
    (caption,) = tiles.figure(shown).axes[0].texts
    inches_a_pixel = tiles.MOST_ROOM / shown.picture.shape[1]
    assert caption.get_position()[1] <= second
    assert room * inches_a_pixel >= 2 * tiles.LINE - 0.01


@pytest.mark.parametrize("side", [8, 200])
def test_captions_of_the_first_row_are_not_cut(side: int) -> None:
    image = np.zeros((side, side), np.float32)
    figure = tiles.figure(tiles.sheet([[image]], {0: ["a case\np = 0.10"]}), ["a long name"])
    renderer = FigureCanvasAgg(figure).get_renderer()
    (caption,) = figure.axes[0].texts
    assert caption.get_window_extent(renderer).y1 <= figure.bbox.y1


def test_an_external_set_stands_beside_the_test_part_on_the_scale_of_a_metric() -> None:
    def rows(partition: str, value: float) -> list[dict[str, str]]:
        limits = {"roc_auc_low": str(value - 0.3), "roc_auc_high": "1.0"}
        found = {"arm": "cnn", "partition": partition, "cases": "9", "val_roc_auc": "0.8"}
        return [found | {"roc_auc": str(value)} | limits]

    channel = {"shares": [0.4, 0.6]}
    part = {"channels": [channel]}
    shifts = {"clinic": {"edges": [[0, 1, 2]], "training": part, "external": part}}
    figure = external.external(rows("test", 0.9), rows("clinic", 0.8), shifts)
    low, high = figure.axes[0].get_xlim()
    assert low < 0.5
    assert 1 <= high <= 1.01
    assert {line.get_gid() for line in figure.axes[0].lines} == {"arm-cnn"}


def test_photographs_are_shown_in_the_colours_that_they_had() -> None:
    image = np.random.default_rng(0).uniform(0, 255, (3, 4, 4))
    mean, std = (100.0, 120.0, 140.0), (10.0, 20.0, 30.0)
    normalised = (image - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    of = SimpleNamespace(mean=mean, std=std)
    source: Any = SimpleNamespace(checkpoint=SimpleNamespace(normalisation=of), has_scans=False)
    np.testing.assert_allclose(explained._coloured(source, normalised), image)
    source.has_scans = True
    assert explained._coloured(source, normalised) is normalised


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_shrinking_keeps_the_mean_and_the_bound(height: int, width: int, longest: int) -> None:
    image = np.random.default_rng(height * 100 + width).random((height, width), np.float32)
    small = tiles.shrink(image, longest)
    assert max(small.shape) <= longest or max(image.shape) <= longest
    assert image.min() <= small.min() <= small.max() <= image.max()


def test_a_constant_image_can_be_windowed() -> None:
    assert (tiles.window(np.full((3, 3), 7, np.int16)) == 0).all()


def test_bright_spots_are_found_inside_and_not_on_the_rim() -> None:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    radius = np.hypot(x, y)
    image = 100.0 * (radius < 0.8) + 500.0 * ((radius > 0.74) & (radius < 0.8))
    for row, column in ((50, 50), (80, 70)):
        image += 150 * np.exp(
            -((np.arange(128)[:, None] - row) ** 2 + (np.arange(128) - column) ** 2) / 8
        )
    found = [(row, column) for row, column, _ in spots.brightest(image, 2)]
    assert sorted(found) == [(50, 50), (80, 70)]
    assert spots.brightest(np.zeros((64, 64)), 3) == []


def assert_readable(figure: Figure) -> None:
    """Nothing is cut off at the edge, and neither titles nor counts lie over each other."""
    style.fit_titles(figure)
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    bold = [text for text in figure.findobj(Text) if text.get_weight() == "bold"]
    for texts in (bold, *(ax.texts for ax in figure.axes), figure.texts + bold):
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


LONG = {"resnet18_pretrained_accumulated_best": 0.1, "lstm_search_width12_rate0_001": 0.2, "b": 0.3}


@pytest.fixture(scope="module")
def long_named(tmp_path_factory: pytest.TempPathFactory) -> results_tree.Tree:
    """A study whose arms have long names."""
    tree = results_tree.Tree(tmp_path_factory.mktemp("long"), results_tree.LESIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results_tree, "ARMS", LONG)
        results_tree.write_data(tree)
        results_tree.write_runs(tree)
    return tree


def drawn(tree: results_tree.Tree, partition: str) -> Iterator[tuple[str, Figure]]:
    """The pictures of a study's results on a partition, by name."""
    metrics, folders = tree.runs("metrics/*/*.json"), tree.runs("predictions/*/*")
    found = runs.read_results(metrics, folders, [tree.split], tree.results / "winner.json")
    assert found is not None
    assert found.partition == partition
    sources = results.Sources(
        results=found,
        histories=tree.runs("training/*/*/history.csv"),
        slices=tree.runs("predictions/*/*/slices.csv"),
        images=Images.open(**tree.images()),
        parts=tree.parts,
        settings=replace(
            SETTINGS, classes=tree.study.classes, compared=Compared(tuple(LONG), {}, {})
        ),
    )
    names = [name for name in results.NAMES if name not in ("search", "balancing", "findings")]
    with style.styled():
        for target, figure in results.draw(sources, map(Path, names)):
            yield target.stem, figure


def test_long_names_of_arms_fit(long_named: results_tree.Tree) -> None:
    for name, figure in drawn(long_named, "test"):
        assert_readable(figure)
        words = [text.get_text().replace("\n", "") for text in figure.findobj(Text)]
        if name in ("curves", "roc", "confusion", "seeds", "chain"):
            assert all(any(word.startswith(arm) for word in words) for arm in LONG), name
        assert style.ON_VALIDATION not in words


def test_results_on_validation_say_so(long_named: results_tree.Tree, tmp_path: Path) -> None:
    tree = results_tree.Tree(tmp_path, long_named.study)
    shutil.copytree(long_named.root, tmp_path, dirs_exist_ok=True)
    for path in tree.runs("predictions/*/*/test.csv"):
        path.write_text("case,class,label,logit,probability\n")
    for name, figure in drawn(tree, "val"):
        told = [text for text in figure.texts if text.get_text() == style.ON_VALIDATION]
        assert bool(told) == (name not in results.OF_TRAINING), name
        assert_readable(figure)
        assert figure.axes or name == "slices", "the chosen arm makes mistakes"
        lowest = [text.get_window_extent().y0 for text in told]
        tops = [ax.get_window_extent().y1 for ax in figure.axes]
        assert min(lowest, default=1e9) >= max(tops, default=0)


def test_many_classes_with_long_names_fit(long_named: results_tree.Tree) -> None:
    classes = tuple(f"Pleural_Thickening_of_kind_{i}" for i in range(16))
    row = {"attributes": '{"age": "40"}', "votes": ""}
    cases = tuple(
        row | {"case": f"{i}{part}", "label": label, "partition": part}
        for i, label in enumerate(classes * 3)
        for part in data.PARTITIONS
    )
    settings = ExploreSettings(classes, 4, 1, pseudonyms=False)
    study = data.Study(cases, Images.open(**long_named.images()), ("grey",), settings)
    arm = runs.Arm("a", (member([0, 1, 1, 0], [0.2, 0.4, 0.6, 0.8]),))
    shown = [Panel(arm, 0, name, ("absent", "present"), "test") for name in classes]
    with style.styled():
        for figure in (data.counts(study), subsets.findings(shown, SETTINGS)):
            assert_readable(figure)
            labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
            assert labels == list(classes)


@given(st.text("ab_ ", min_size=1, max_size=40), st.floats(0.2, 3))
def test_a_text_is_broken_into_lines_that_fit(words: str, inches: float) -> None:
    lines = style.wrapped(words, inches, 8).split("\n")
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    for line in lines:
        breakable = line[:-1].replace(" ", "_").count("_")
        assert not breakable or style.width(line, 8) <= inches


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_picture_is_the_same_bytes_each_time(tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        with style.styled():
            figure, (ax, _) = style.panels(2, height=2)
            ax.plot([0, 1], label="line")
            style.key(figure, [style.swatch(0)], ["a line"])
            style.save(figure, tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("script", "unwanted"),
    [("explore", "torch"), ("draw_figures", "torch"), ("report", "torch pandas numpy matplotlib")],
)
def test_a_script_loads_no_more_than_it_needs(script: str, unwanted: str) -> None:
    code = f"""import runpy, sys
runpy.run_path({str(results_tree.PROJECT / "scripts" / f"{script}.py")!r}, run_name="no")
print(*({unwanted.split()!r} & sys.modules.keys()))"""
    code = code.replace(f"{unwanted.split()!r} &", f"set({unwanted.split()!r}) &")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_without_a_labelled_case_a_picture_says_so(tmp_path: Path) -> None:
    tree = results_tree.Tree(tmp_path, results_tree.LESIONS)
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    for path in tree.runs("predictions/*/*/*.csv"):
        path.write_text("case,class,label,logit,probability\n")
    results_tree.write_figures(tree, ["figures/roc.svg", "figures/mistakes.png"])
    assert (tree.results / "figures" / "roc.svg").stat().st_size > 500


def test_of_very_many_arms_the_best_on_validation_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = results_tree.Tree(tmp_path, results_tree.LESIONS)
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    metrics, folders = tree.runs("metrics/*/*.json"), tree.runs("predictions/*/*")
    winner = tmp_path / "winner.json"
    winner.write_text('{"arm": "resnet18"}')
    monkeypatch.setattr(runs, "MOST_ARMS", 2)
    found = runs.read_results(metrics, folders, [tree.split], winner)
    assert found is not None
    assert found.winner.name == "resnet18"
    assert found.left_out == 1
    others = [arm for arm in found.arms if arm is not found.winner]
    assert [arm.name for arm in others] == ["finetuned"], "the best but for the chosen one"


def test_every_picture_is_drawn_of_several_labels_and_of_colour_images(tmp_path: Path) -> None:
    for study in (results_tree.CHEST, results_tree.LESIONS):
        tree = results_tree.Tree(tmp_path, study)
        results_tree.write_data(tree)
        results_tree.write_runs(tree)
        results_tree.write_pictures(tree)
        assert all((tree.results / name).stat().st_size > 2000 for name in study.pictures)


def test_exclusive_classes_are_drawn_and_told(tmp_path: Path) -> None:
    page = results_tree.write_all(tmp_path, results_tree.SKIN).read_text()
    tree = results_tree.Tree(tmp_path, results_tree.SKIN)
    assert "Cohen" in page
    assert "likeliest class" in page
    assert "log loss" in page
    card = json.loads((tree.results / "card.json").read_text())["card"]
    (by_class,) = (each for each in card if each["title"] == "Metrics by class")
    assert sorted(row[0] for row in by_class["rows"]) == sorted(results_tree.SKIN.classes)
    table = pd.read_csv(tree.results / "table.csv").set_index("arm")
    assert table.loc["finetuned", "kappa_low"] < table.loc["finetuned", "kappa"]
    assert table.loc["zero_rate", "roc_auc"] == 0.5
    found = runs.read_results(
        tree.runs("metrics/*/*.json"),
        tree.runs("predictions/*/*"),
        [tree.split],
        tree.results / "winner.json",
    )
    assert found is not None
    arm, classes = found.winner, results_tree.SKIN.classes
    matrix = sum(decisions._joint_matrix(each, classes) for each in arm.members)
    metrics = [each.run.metrics["partitions"]["test"] for each in arm.members]
    counted = sum(np.array(page["operating_points"]["argmax"]["confusion"]) for page in metrics)
    order = [arm.mean.classes.index(name) for name in classes]
    np.testing.assert_array_equal(matrix, counted[np.ix_(order, order)])
    margins = np.array([arm.members[0].margins(index) for index in range(4)])
    assert ((margins > 0).sum(axis=0) == 1).all()


def test_mistakes_of_exclusive_classes_are_shown_by_pair() -> None:
    classes = ("a", "b", "c")
    labels = np.eye(3)[[0, 0, 0, 1, 2]]
    scores = np.array([[6, 3, 1], [1, 8, 1], [2, 7, 1], [5, 4, 1], [1, 1, 8.0]])
    scores /= scores.sum(axis=1, keepdims=True)
    cases = np.array([f"c{i}" for i in range(5)])
    sample = Sample(cases, cases, classes, labels, np.log(scores), scores)
    metrics = {"choices": {}, "operating_point": "argmax"}
    arm = runs.Arm("arm", (runs.Member(Run("arm", 0, 1, metrics, sample), sample),))
    panels = [
        Panel(arm, place, name, ("another class", "this class"), "test")
        for place, name in enumerate(classes)
    ]
    found = mistakes._by_pair(panels, 5)
    assert [(kind, [each.case for each in those]) for kind, those in found.items()] == [
        ("a\ncalled b", ["c1", "c2"]),
        ("b\ncalled a", ["c3"]),
    ]
    assert found["a\ncalled b"][0].probability == pytest.approx(0.8)


def test_heat_maps_are_of_the_true_class_and_of_the_called_one() -> None:
    chances = {"a": (0.9, 0.1), "b": (0.6, 0.4), "c": (0.2, 0.8), "d": (0.3, 0.7)}
    predictions = [
        {"case": case, "class": name, "label": str(int(name == "x")), "probability": str(chance)}
        for case, each in chances.items()
        for name, chance in zip("xy", each, strict=True)
    ]
    checkpoint = SimpleNamespace(outputs=("x", "y"), task=Task.MULTICLASS)
    source = SimpleNamespace(
        checkpoint=checkpoint, predictions=predictions, settings=SimpleNamespace(cases=3)
    )
    (row,) = explained._surest(source)
    assert (row.title, row.output) == ("x", 0)
    assert list(row.cases) == ["a", "b", "c"], "the surest that are right, then mistakes"
    assert row.called == {"c": 1}
