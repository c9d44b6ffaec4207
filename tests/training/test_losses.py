"""What is minimised: weights of classes, unknown labels and smoothing."""

import dataclasses

import numpy as np
import pytest
import torch

from training_parts import LAST, close
from training_runs import cohort, dense, fit, recipe, samples
from triage.errors import UserError
from triage.training.losses import Independent


def objective(targets, **changes):
    settings = dataclasses.replace(recipe().loss, **changes)
    return Independent(settings, targets, [f"class{i}" for i in range(targets.shape[1])])


def mean_loss(chosen, logits, targets):
    weights = chosen.weights(targets)
    return (chosen.elements(logits, targets) * weights).sum() / weights.sum()


def test_class_weights_are_the_sources_two_class_weighted_loss():
    # pneumonia: 1342 normal, 3876 pneumonia; two logits and a weighted cross-entropy.
    targets = torch.cat([torch.zeros(1342, 1), torch.ones(3876, 1)])
    logits = torch.randn(len(targets), 1)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    weights = torch.tensor([3876 / 5218, 1342 / 5218])
    expected = torch.nn.functional.cross_entropy(two, targets[:, 0].long(), weights)
    assert torch.allclose(
        mean_loss(objective(targets, class_weights="inverse"), logits, targets), expected
    )


def test_balanced_pos_weight_are_torchs():
    targets = (torch.arange(40)[:, None] % torch.tensor([2, 5, 8]) == 0).float()
    logits = torch.randn(40, 3)
    positive = (40 - targets.sum(0)) / targets.sum(0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=positive
    )
    chosen = objective(targets, pos_weight="balanced")
    assert torch.allclose(mean_loss(chosen, logits, targets), expected)


def test_unknown_labels_teach_nothing(tmp_path):
    features, targets = cohort()
    targets[5:] = np.nan
    known = samples(features[:, :5], targets[:5])
    masked = samples(features, targets)
    assert float(objective(masked.targets).weights(masked.targets).sum()) == 5
    all_at_once = {"batch_size": 32} | LAST
    first = fit(dense(), tmp_path / "a", known, **all_at_once)
    second = fit(dense(), tmp_path / "b", masked, **all_at_once)
    assert close(first.weights, second.weights)


def test_weights_of_an_absent_class_are_a_clear_error(tmp_path):
    features, _ = cohort()
    train = samples(features, np.ones((20, 1), np.float32))
    with pytest.raises(UserError, match="or none without, class0"):
        fit(dense(), tmp_path, train, loss={"class_weights": "inverse"})


def test_of_several_classes_an_absent_one_stays_unweighted(caplog):
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    chosen = objective(targets, pos_weight="balanced")
    assert chosen.factor_of_positive.tolist() == [2.0, 1.0]
    assert "class1: not weighted" in caplog.text


def test_label_smoothing_moves_targets_towards_a_half():
    targets, logits = torch.tensor([[1.0], [0.0]]), torch.tensor([[2.0], [-1.0]])
    smooth = objective(targets, label_smoothing=0.2).elements(logits, targets)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.tensor([[0.9], [0.1]]), reduction="none"
    )
    assert torch.allclose(smooth, expected)
