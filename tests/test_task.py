"""Classes that exclude each other: loss, scores and means against torch and scikit-learn."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from torch.nn import functional

from training_runs import (
    ROOT,
    arguments,
    finish,
    part_list,
    predicted_files,
    recipe,
    run_settings,
    write_study,
)
from triage.errors import UserError
from triage.task import Task
from triage.training import rng
from triage.training.balance import plan
from triage.training.checkpoint import Checkpoint
from triage.training.losses import objective_for
from triage.training.scores import scores
from triage.training.settings import Balance

CLASSES = ("a", "b", "c")


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[labels]


@pytest.mark.parametrize("weights", ["none", "inverse"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs(weights: str, smoothing: float) -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 40, p=[0.6, 0.3, 0.1])
    targets, logits = torch.from_numpy(one_hot(labels)), torch.randn(40, 3)
    settings = replace(recipe().loss, class_weights=weights, label_smoothing=smoothing)
    chosen = objective_for(Task.MULTICLASS, settings, targets, CLASSES)
    of_class = torch.ones(3)
    if weights == "inverse":
        of_class = torch.from_numpy(40 / (3 * np.bincount(labels))).float()
    expected = functional.cross_entropy(
        logits, torch.from_numpy(labels), of_class, label_smoothing=smoothing
    )
    unknown = torch.full((5, 3), torch.nan)
    logits, targets = torch.cat([logits, torch.randn(5, 3)]), torch.cat([targets, unknown])
    weighing = chosen.weights(targets)
    found = (chosen.elements(logits, targets) * weighing).sum() / weighing.sum()
    assert torch.isclose(found, expected, rtol=1e-5)
    right, known = chosen.right(logits, targets)
    assert known == 40
    assert right == (logits[:40].argmax(1).numpy() == labels).sum()


def test_a_class_without_training_cases_is_not_weighted(caplog: pytest.LogCaptureFixture) -> None:
    settings = replace(recipe().loss, class_weights="inverse")
    targets = torch.from_numpy(one_hot(np.array([0, 0, 1])))
    with caplog.at_level("WARNING"):
        chosen = objective_for(Task.MULTICLASS, settings, targets, CLASSES)
    assert "c" in caplog.text
    assert torch.isfinite(chosen.elements(torch.randn(3, 3), targets)).all()


def test_scores_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 3, 60), rng.normal(size=(60, 3))
    shifted = logits + rng.normal(size=(60, 1)) * 9  # which softmax does not see
    found = scores(shifted, one_hot(labels), Task.MULTICLASS)
    probabilities = np.exp(Task.MULTICLASS.logits(logits))
    called = probabilities.argmax(1)
    assert math.isclose(found["accuracy"], metrics.accuracy_score(labels, called))
    assert math.isclose(found["f1"], metrics.f1_score(labels, called, average="macro"))
    expected = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert math.isclose(found["auc"], expected)


def test_every_class_is_filled_up_to_the_largest() -> None:
    labels = np.repeat([0, 1, 2], [30, 6, 4])
    keys = rng.keys([f"case{i}" for i in range(40)])
    balanced = plan(
        Balance("oversample", "all"), 1, 0, keys, one_hot(labels), None, Task.MULTICLASS
    )
    assert np.bincount(labels[balanced.rows]).tolist() == [30, 30, 30]
    assert set(balanced.rows) == set(range(40))


def test_an_empty_class_can_not_be_filled_up() -> None:
    keys = rng.keys([f"case{i}" for i in range(4)])
    targets = one_hot(np.array([0, 0, 1, 1]))
    with pytest.raises(UserError, match="no training case"):
        plan(Balance("oversample", "all"), 1, 0, keys, targets, None, Task.MULTICLASS)


@given(st.integers(0, 2**32 - 1))
def test_means_are_of_probabilities(seed: int) -> None:
    raw = np.random.default_rng(seed).normal(0, 5, (4, 3, 3))
    exact = np.exp(raw - raw.max(-1, keepdims=True))
    exact /= exact.sum(-1, keepdims=True)
    task = Task.MULTICLASS
    assert np.allclose(task.probabilities(task.logits(raw)), exact)
    pooled = task.pooled(raw)
    assert np.allclose(task.probabilities(pooled), exact.mean(1))
    assert np.allclose(task.pooled(raw[:, :1]), task.logits(raw[:, 0]))


def test_how_many_classes_a_task_may_have() -> None:
    assert Task.BINARY.outputs(("no", "yes")) == ("yes",)
    assert Task.MULTICLASS.outputs(CLASSES) == CLASSES
    with pytest.raises(UserError, match="task: multiclass"):
        Task.BINARY.check(CLASSES, "classes")
    Task.MULTICLASS.check(CLASSES, "classes")
    assert not Task.MULTICLASS.allows("a|b")
    assert Task.MULTILABEL.allows("a|b")


def test_a_network_of_three_classes_from_training_to_predictions(tmp_path: Path) -> None:
    study, out = write_study(tmp_path / "study"), tmp_path / "out"
    for part in ("train", "val", "test"):
        path = part_list(study, part)
        lines = path.read_text().splitlines()
        lines[2::5] = [line.replace("abnormal", "c").replace("normal", "c") for line in lines[2::5]]
        path.write_text("\n".join(lines) + "\n")
    settings = run_settings(epochs=2) | {
        "task": "multiclass",
        "classes": ["normal", "abnormal", "c"],
    }
    finish(arguments("train.py", study, out, settings))
    checkpoint = Checkpoint.load(out / "checkpoint.pt")
    assert checkpoint.task is Task.MULTICLASS
    assert checkpoint.outputs == ("normal", "abnormal", "c")
    shards = [study / f"shard-{k}" for k in (0, 1)]
    command = [sys.executable, str(ROOT / "scripts/predict_cases.py")]
    for part in ("val", "test", "unlabelled"):
        command += [f"--{part}", part_list(study, part)]
    command += ["--checkpoint", out / "checkpoint.pt"]
    command += ["--arrays", *(f"{shard}.npy" for shard in shards)]
    command += ["--tables", *(f"{shard}.csv" for shard in shards)]
    command += [*predicted_files(out), "--device", "cpu"]
    finish(list(map(str, command)))
    for table, keys in (("test.csv", ["case"]), ("slices.csv", ["case", "index"])):
        rows = pd.read_csv(out / table)
        assert np.allclose(rows.groupby(keys)["probability"].sum(), 1)
        assert np.allclose(np.exp(rows["logit"]), rows["probability"])
    labels = pd.read_csv(out / "test.csv").groupby("case")["label"].sum(min_count=1)
    assert (labels == 1).all()
