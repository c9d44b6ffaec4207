"""The files of pictures: what is drawn of which study, and the same bytes each time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import results_studies
import results_tree
from triage.evaluation.arms import Run
from triage.evaluation.samples import Sample
from triage.figures import curves, decisions, explained, external, mistakes, runs, slices, style
from triage.figures.panels import Panel
from triage.task import Task


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
    tree = results_tree.Tree(tmp_path, results_studies.LESIONS)
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    for path in tree.runs("predictions/*/*/*.csv"):
        path.write_text("case,class,label,logit,probability\n")
    results_tree.write_figures(tree, ["figures/roc.svg", "figures/mistakes.png"])
    assert (tree.results / "figures" / "roc.svg").stat().st_size > 500


def test_of_very_many_arms_the_best_on_validation_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = results_tree.Tree(tmp_path, results_studies.LESIONS)
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
    for study in (results_studies.CHEST, results_studies.LESIONS):
        tree = results_tree.Tree(tmp_path, study)
        results_tree.write_data(tree)
        results_tree.write_runs(tree)
        results_tree.write_pictures(tree)
        assert all((tree.results / name).stat().st_size > 2000 for name in study.pictures)


def test_exclusive_classes_are_drawn_and_told(tmp_path: Path) -> None:
    page = results_tree.write_all(tmp_path, results_studies.SKIN).read_text()
    tree = results_tree.Tree(tmp_path, results_studies.SKIN)
    assert "Cohen" in page
    assert "likeliest class" in page
    assert "log loss" in page
    card = json.loads((tree.results / "card.json").read_text())["card"]
    (by_class,) = (each for each in card if each["title"] == "Metrics by class")
    assert sorted(row[0] for row in by_class["rows"]) == sorted(results_studies.SKIN.classes)
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
    arm, classes = found.winner, results_studies.SKIN.classes
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
