"""Steps of the optimizer: their rates, gradients and averages, and those that are skipped."""

import math

import numpy as np
import pytest
import torch

from training_parts import LAST, SGD, close, same
from training_runs import cohort, dense, fit, samples
from triage.errors import UserError
from triage.training.average import MovingAverage
from triage.training.schedules import LearningRate
from triage.training.settings import Optimizer, Schedule


def rate(name, epochs=10, **changes):
    schedule = {
        "name": name,
        "factor": 0.3,
        "patience": 2,
        "min_lr": 1e-6,
        "warmup_epochs": 0,
    } | changes
    return LearningRate(Optimizer("adam", 1e-3, 0.0, 0.0), Schedule(**schedule), epochs)


def test_plateau_is_torchs():
    # Losses as noisy as real ones; torch's own scheduler must agree at every epoch.
    losses = 1 / (1 + np.arange(40)) + np.random.default_rng(0).normal(0, 0.05, 40)
    ours, parameter = rate("plateau", 40), torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 1e-3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.3, patience=2, min_lr=1e-6, threshold=0, eps=0
    )
    for epoch, loss in enumerate(losses):
        assert math.isclose(ours.at(epoch, 0, 1), optimizer.param_groups[0]["lr"], rel_tol=1e-9)
        ours.observe(loss)
        theirs.step(loss)
    assert ours.reductions > 2


def test_other_schedules():
    exponential = rate("exponential", factor=0.91)
    assert math.isclose(exponential.at(5, 3, 7), 1e-3 * 0.91**5)
    assert math.isclose(rate("exponential", factor=0.1).at(9, 0, 1), 1e-6)
    cosine = [rate("cosine").at(epoch, 0, 1) for epoch in range(10)]
    assert cosine[0] == 1e-3
    assert cosine == sorted(cosine, reverse=True)
    assert rate("constant").at(7, 0, 1) == 1e-3


def test_warm_up_rises_by_steps():
    warm = rate("constant", warmup_epochs=2)
    rising = [warm.at(epoch, step, 4) for epoch in range(3) for step in range(4)]
    assert np.allclose(rising[:8], 1e-3 * np.arange(1, 9) / 8)
    assert rising[8:] == [1e-3] * 4


def test_the_gradient_is_clipped(tmp_path):
    start = dense().state_dict()
    plain = {
        "optimizer": {"name": "sgd", "lr": 1.0, "momentum": 0.0},
        "epochs": 1,
        "batch_size": 32,
    }
    trained = fit(dense(), tmp_path, grad_clip_norm=1e-3, **plain, **LAST)
    moved = torch.cat([(trained.weights[name] - each).reshape(-1) for name, each in start.items()])
    assert math.isclose(float(moved.norm()), 1e-3, rel_tol=1e-3)


def test_the_average_of_the_weights_follows_them(tmp_path):
    one_step_an_epoch = {"batch_size": 32} | LAST
    expected = dense().state_dict()
    for epochs in (1, 2):
        followed = fit(dense(), tmp_path / str(epochs), epochs=epochs, **one_step_an_epoch).weights
        share = 1 - (1 + epochs) / (10 + epochs)  # less than that of 0.9, so early on
        expected = {
            name: torch.lerp(each, followed[name], share) for name, each in expected.items()
        }
    averaged = fit(dense(), tmp_path / "average", epochs=2, ema_decay=0.9, **one_step_an_epoch)
    assert close(averaged.weights, expected, 1e-6)


def test_a_short_run_does_not_keep_the_random_start():
    network = dense()
    average = MovingAverage(network, 0.999)
    with torch.no_grad():
        for each in network.parameters():
            each.fill_(5.0)
    for _ in range(120):
        average.update_parameters(network)
    kept = average.module.parameters()
    assert all(torch.allclose(each, torch.full_like(each, 5.0), atol=1e-4) for each in kept)


def test_the_decay_rises_to_its_value_and_stays():
    network = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, 0.5)
    shares = []
    for _ in range(12):
        average.module.weight.fill_(1.0)
        network.weight.detach().fill_(0.0)
        average.update_parameters(network)
        shares.append(float(average.module.weight))
    expected = [min(0.5, (1 + n) / (10 + n)) for n in range(1, 13)]
    assert np.allclose(shares, expected)


def test_the_average_of_a_recurrent_network_is_one_piece_of_memory(monkeypatch):
    # On a GPU this moves the weights: what the average changes must be where they are then.
    def join(module):
        joined.append(module)
        for each in module.parameters():
            each.data = each.data.clone()

    network = torch.nn.Sequential(torch.nn.LSTM(2, 3))
    joined = []
    monkeypatch.setattr(torch.nn.LSTM, "flatten_parameters", join)
    average = MovingAverage(network, 0.9)
    assert joined == [average.module[0]]
    with torch.no_grad():
        network[0].weight_ih_l0.add_(1.0)
    before = average.module[0].weight_ih_l0.clone()
    average.update_parameters(network)
    assert not average.module[0].weight_ih_l0.equal(before)


def test_a_step_that_is_not_finite_is_skipped_and_leaves_no_trace(tmp_path):
    features, targets = cohort()
    broken = features.clone()
    broken[0, 7] = math.nan
    network = dense(norm=True)
    start = {name: each.clone() for name, each in network.state_dict().items()}
    changes = {"batch_size": 32, "epochs": 2, "max_skipped": 1.0} | LAST
    trained = fit(network, tmp_path, samples(broken, targets), **changes)
    assert [row["skipped"] for row in trained.history] == [1, 1]
    weights = {name: each for name, each in trained.weights.items() if "num_batches" not in name}
    assert same(start, weights)


@pytest.mark.parametrize("optimizer", [{}, SGD])
def test_other_steps_go_on_after_a_skipped_one(tmp_path, optimizer):
    features, targets = cohort()
    broken = features.clone()
    broken[0, 7] = math.inf
    changes = {"batch_size": 4, "max_skipped": 0.5, **optimizer}
    trained = fit(dense(norm=True), tmp_path, samples(broken, targets), **changes)
    assert [row["skipped"] for row in trained.history] == [1, 1, 1]
    assert all(torch.isfinite(each).all() for each in trained.weights.values())
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]


def test_too_many_skipped_steps_are_an_error(tmp_path):
    features, targets = cohort()
    features[0, 7] = math.nan
    with pytest.raises(UserError, match=r"1 of 5 steps of epoch 1 were skipped[\s\S]*max_skipped"):
        fit(dense(), tmp_path, samples(features, targets))


def test_one_step_an_epoch_may_overflow_in_float16(tmp_path):
    features, targets = cohort()
    features[0, 7] = math.nan
    trained = fit(dense(), tmp_path / "a", samples(features, targets), precision="float16")
    assert [row["skipped"] for row in trained.history] == [1, 1, 1]
    features[0, :] = math.nan
    with pytest.raises(UserError, match="5 of 5 steps of epoch 1 were skipped"):
        fit(dense(), tmp_path / "b", samples(features, targets), precision="float16")


def test_a_last_batch_of_one_joins_the_one_before(tmp_path):
    train = samples(*cohort(21))
    fit(dense(norm=True), tmp_path, train, batch_size=4, **LAST)
