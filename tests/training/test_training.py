"""The training loop: what it promises, on networks and data small enough to do it in no time."""

import dataclasses
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from training_runs import cohort, dense, fit, recipe, samples
from triage.errors import UserError
from triage.training import balance, optimizers, rng
from triage.training.average import MovingAverage
from triage.training.balance import in_order, plan
from triage.training.inference import predict
from triage.training.job import _batches_large_enough
from triage.training.loop import Trainer
from triage.training.losses import Independent
from triage.training.precision import Autocast, resolved
from triage.training.schedules import LearningRate
from triage.training.scores import scores
from triage.training.selection import EarlyStopping, Selection
from triage.training.settings import Balance, Optimizer, Schedule, Select, Stopping
from triage.training.state import Keeper

LAST = {"select": {"by": "last"}}
SGD = {"optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.9}}
KEYS = rng.keys(f"case{i}" for i in range(40))
RARE = np.repeat([[1.0], [0.0]], (8, 32), axis=0).astype(np.float32)


def same(first, second):
    return all(first[name].equal(each) for name, each in second.items())


def close(first, second, tolerance=1e-5):
    return all(torch.allclose(first[name], each, atol=tolerance) for name, each in second.items())


def test_the_same_settings_give_the_same_weights_and_history(tmp_path):
    runs = [fit(dense(norm=True, dropout=0.5), tmp_path / str(i)) for i in range(2)]
    assert same(runs[0].weights, runs[1].weights)
    assert runs[0].history == runs[1].history


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    features, targets = cohort()
    names = [f"case{i:03d}" for i in range(20)]
    shuffle = np.random.default_rng(0).permutation(20)
    moved = samples(features[:, shuffle], targets[shuffle], [names[i] for i in shuffle])
    first = fit(dense(dropout=0.5), tmp_path / "a", samples(features, targets, names))
    second = fit(dense(dropout=0.5), tmp_path / "b", moved)
    assert same(first.weights, second.weights)


def test_another_seed_trains_otherwise(tmp_path):
    first = fit(dense(), tmp_path / "a", seed=1)
    second = fit(dense(), tmp_path / "b", seed=2)
    assert not same(first.weights, second.weights)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("adam", torch.optim.Adam, {}),
        ("adamw", torch.optim.AdamW, {}),
        ("sgd", torch.optim.SGD, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_optimizers_are_torchs(name, kind, options, decay):
    own, theirs = dense(), dense()
    options = {"weight_decay": decay} | options
    ours = optimizers.make(own, Optimizer(name, 0.01, **{"momentum": 0.0} | options))
    reference = kind(theirs.parameters(), 0.01, fused=True, **options)
    for _ in range(5):
        inputs = torch.randn(8, 6)
        for network, optimizer in ((own, ours), (theirs, reference)):
            optimizer.zero_grad()
            network(inputs).square().sum().backward()
        optimizers.step(ours, 0.01, torch.zeros(()))
        reference.step()
    assert same(own.state_dict(), theirs.state_dict())


def test_the_first_layers_learn_slower_where_that_is_set():
    layers = [torch.nn.Linear(4, 4) for _ in range(20)]
    network = torch.nn.Sequential(*layers)
    layers[3].requires_grad_(False)
    options = Optimizer("sgd", 0.1, first_layer=0.01)
    optimizer = optimizers.make(network, options)
    before = [each.weight.clone() for each in layers]
    for each in network.parameters():
        each.grad = torch.ones_like(each)
    optimizers.step(optimizer, 0.1, torch.zeros(()))
    moved = [
        float((old - layer.weight).detach().mean())
        for old, layer in zip(before, layers, strict=True)
    ]
    assert moved[0] == pytest.approx(0.001, rel=1e-4)
    assert moved[-1] == pytest.approx(0.1, rel=1e-4)
    assert moved[3] == 0
    rising = [each for each in moved if each]
    assert all(b > 0.99 * a for a, b in pairwise(rising))
    assert len({round(each, 5) for each in rising}) == 8


def test_training_imports_nothing_slow():
    code = "import sys, triage.training.job\n"
    code += "slow = ('sklearn', 'scipy', 'pandas', 'torch._dynamo', 'triage.evaluation')\n"
    code += "sys.exit(any(name in sys.modules for name in slow))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("call", "benchmark", "convolutions", "products"),
    [
        ("", False, False, False),
        (", trains=True", False, True, False),
        (", deterministic=False, trains=True", True, True, True),
    ],
)
def test_training_rounds_as_torch_does_and_the_rest_is_exact(
    call, benchmark, convolutions, products
):
    code = "from argparse import Namespace\nimport torch\nfrom triage.training import job\n"
    code += f"job.prepare(Namespace(device='cpu', threads=1){call})\n"
    code += "cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul\n"
    code += "print([cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str([benchmark, convolutions, products])


@pytest.mark.parametrize("optimizer", [{}, SGD])
def test_accumulated_batches_are_one_big_batch(tmp_path, optimizer):
    # 20 samples: the last step of an epoch has fewer batches, the last batch fewer samples.
    train = samples(*cohort(22))
    big = fit(dense(), tmp_path / "a", train, batch_size=12, **optimizer)
    small = fit(dense(), tmp_path / "b", train, batch_size=4, grad_accum=3, **optimizer)
    assert close(big.weights, small.weights)
    assert math.isclose(big.history[-1]["loss"], small.history[-1]["loss"], rel_tol=1e-5)


def test_accumulation_is_exact_with_weights_and_unknown_labels(tmp_path):
    features, targets = cohort(24, outputs=3)
    targets[::3, 1] = np.nan
    train, val = samples(features, targets), samples(*cohort(24, outputs=3, seed=1))
    loss = {"loss": {"class_weights": "inverse", "pos_weight": "balanced"}}
    big = fit(dense(outputs=3), tmp_path / "a", train, val, batch_size=12, **loss)
    small = fit(dense(outputs=3), tmp_path / "b", train, val, batch_size=4, grad_accum=3, **loss)
    assert close(big.weights, small.weights)


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


def test_early_stopping_keeps_the_best_weights(tmp_path):
    # Validation labels are the opposite, so that training makes it worse and worse.
    features, targets = cohort()
    val = samples(features, 1 - targets)
    changes = {"stopping": {"patience": 3}, "select": {"by": "loss"}, "epochs": 20}
    stopped = fit(dense(), tmp_path / "a", val=val, **changes)
    losses = [row["val_loss"] for row in stopped.history]
    assert len(losses) < 20
    assert stopped.epoch == 1 + int(np.argmin(losses)) == len(losses) - 3
    short = fit(dense(), tmp_path / "b", val=val, epochs=stopped.epoch, **LAST)
    assert same(stopped.weights, short.weights)


def stopping(**changes):
    return EarlyStopping(
        Stopping(**{"by": "loss", "patience": 2, "min_delta": 0.0, "min_epochs": 0} | changes)
    )


def test_stopping_waits_for_min_delta_and_min_epochs():
    plain, patient = stopping(min_delta=0.1), stopping(min_epochs=5)
    for epoch, loss in enumerate([1.0, 0.95, 0.92, 0.85], start=1):
        plain.observe({"val_loss": loss})
        patient.observe({"val_loss": 1.0})
        assert plain.stops(epoch) == (epoch == 3)
        assert not patient.stops(epoch)
    assert patient.stops(5)


def test_stopping_may_watch_another_score():
    watched = stopping(by="f1", patience=1)
    watched.observe({"val_loss": 1.0, "val_f1": 0.5})
    watched.observe({"val_loss": 2.0, "val_f1": 0.6})
    assert not watched.stops(2)
    watched.observe({"val_loss": 0.1, "val_f1": math.nan})
    assert watched.stops(3)


def test_equal_scores_are_decided_by_the_loss():
    selection = Selection(Select("accuracy"))
    rows = [(0.8, 0.5), (0.8, 0.4), (0.7, 0.1), (0.8, 0.4), (math.nan, 0.0)]
    better = [
        selection.improves(epoch, {"val_accuracy": accuracy, "val_loss": loss})
        for epoch, (accuracy, loss) in enumerate(rows)
    ]
    assert better == [True, True, False, False, False]
    assert selection.epoch == 1


def test_choosing_an_epoch_needs_validation(tmp_path):
    train = samples(*cohort())
    with pytest.raises(UserError, match="set it to last"):
        Trainer(dense(), train, None, recipe(), 1, ("a",), Keeper(tmp_path / "state"))
    assert fit(dense(), tmp_path, train, **LAST).epoch == 3


def test_choosing_by_auc_needs_both_classes_in_validation(tmp_path):
    features, _ = cohort()
    val = samples(features, np.ones((20, 1), np.float32))
    with pytest.raises(UserError, match="all validation cases are of one class"):
        fit(dense(), tmp_path, val=val, select={"by": "auc"})
    assert math.isnan(fit(dense(), tmp_path, val=val).history[0]["val_auc"])


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


def settings(method, augment="all"):
    return Balance(method, augment)


def test_without_balancing_every_sample_comes_once():
    chosen = plan(settings("none"), 1, 0, KEYS, RARE, None)
    assert sorted(chosen.rows) == list(range(40))
    assert not chosen.copies.any()
    assert not np.array_equal(chosen.rows, plan(settings("none"), 1, 1, KEYS, RARE, None).rows)


@pytest.mark.parametrize("method", ["oversample", "hard_examples"])
def test_balanced_epochs_have_twice_the_larger_class_and_every_sample(method):
    hardness = np.random.default_rng(0).random(40).astype(np.float32)
    chosen = plan(settings(method), 1, 3, KEYS, RARE, hardness)
    assert len(chosen) == 64
    assert set(chosen.rows) == set(range(40))
    assert RARE[chosen.rows].sum() == 32
    pairs = set(zip(chosen.rows, chosen.copies, strict=True))
    assert len(pairs) == 64


def test_hard_samples_come_more_often():
    hardness = np.ones(40, np.float32)
    hardness[3] = 10.0
    counts = np.bincount(plan(settings("hard_examples"), 1, 3, KEYS, RARE, hardness).rows)
    assert counts[3] > 3 * counts[[0, 1, 2, 4, 5, 6, 7]].max()
    even = np.bincount(plan(settings("oversample"), 1, 3, KEYS, RARE, hardness).rows)
    assert even[:8].max() - even[:8].min() <= 1


def test_copies_stand_for_synthetic_samples():
    chosen = plan(settings("oversample", "copies"), 1, 0, KEYS, RARE, None)
    assert np.array_equal(chosen.augmented, chosen.copies > 0)
    assert plan(settings("oversample", "all"), 1, 0, KEYS, RARE, None).augmented.all()


def test_balancing_does_not_depend_on_the_order_of_rows():
    shuffle = np.random.default_rng(0).permutation(40)
    first = plan(settings("oversample"), 1, 0, KEYS, RARE, None)
    second = plan(settings("oversample"), 1, 0, KEYS[shuffle], RARE[shuffle], None)
    assert np.array_equal(KEYS[first.rows], KEYS[shuffle][second.rows])
    assert np.array_equal(first.copies, second.copies)


def test_several_labels_can_not_be_balanced():
    with pytest.raises(UserError, match="one label a case"):
        plan(settings("oversample"), 1, 0, KEYS, np.repeat(RARE, 2, axis=1), None)


def test_hard_examples_train(tmp_path):
    trained = fit(dense(), tmp_path, balance={"method": "hard_examples", "augment": "copies"})
    assert len(trained.history) == 3


@pytest.mark.parametrize("units", ["amx_bf16", "avx512_bf16", None])
def test_precision_is_chosen_by_what_the_processor_has(monkeypatch, units):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {units: True})
    chosen = resolved("auto", torch.device("cpu"))
    assert chosen == ("bfloat16" if units else "float32")
    assert resolved("float16", torch.device("cpu")) == "float16"


@pytest.mark.parametrize("precision", ["auto", "bfloat16", "float16"])
def test_half_precision_trains(tmp_path, precision):
    trained = fit(dense(), tmp_path, precision=precision, max_skipped=0.5)
    assert math.isfinite(trained.history[-1]["val_loss"])


def test_scores_are_scikit_learns():
    from sklearn import metrics

    random = np.random.default_rng(0)
    logits, targets = random.normal(size=(50, 3)).round(1), random.integers(0, 2, (50, 3)) * 1.0
    found = scores(logits, targets)
    assert math.isclose(found["auc"], metrics.roc_auc_score(targets, logits, average="macro"))
    assert math.isclose(found["f1"], metrics.f1_score(targets, logits > 0, average="macro"))
    assert math.isclose(found["accuracy"], ((logits > 0) == targets).mean())


def test_scores_of_one_class_are_undefined_not_zero():
    found = scores(np.array([[1.0], [2.0]]), np.array([[1.0], [1.0]]))
    assert math.isnan(found["auc"])
    assert found["accuracy"] == 1
    unknown = scores(np.array([[1.0]]), np.array([[np.nan]]))
    assert all(math.isnan(each) for each in unknown.values())


def test_predictions_come_in_the_order_of_the_samples():
    part, network = samples(*cohort(150)), dense(norm=True)
    logits = predict(network, part, 4, Autocast(torch.device("cpu"), "float32"))
    assert network.training
    expected = network.eval()(part.features[0])
    assert torch.allclose(logits, expected, atol=1e-6)


def test_feature_draws_are_by_case_and_epoch():
    features = torch.arange(4.0)[:, None, None, None].expand(4, 20, 2, 3).contiguous()
    _, targets = cohort()
    part = samples(features, targets)
    everything = in_order(20, augmented=True)

    def drawn(plan, epoch):
        return next(part.batches(plan, [(0, len(plan))], epoch))[:, 0, 0]

    assert not drawn(everything, None).any()
    first = drawn(everything, 0)
    assert set(first.tolist()) == {1.0, 2.0, 3.0}
    assert not torch.equal(first, drawn(everything, 1))
    backwards = balance.Plan(everything.rows[::-1].copy(), everything.copies, everything.augmented)
    assert torch.equal(drawn(backwards, 0), first.flip(0))


def test_batch_norm_without_a_batch_is_a_mistake_in_the_settings():
    with (
        pytest.raises(UserError, match=r"recipe\.batch_size: is too small"),
        _batches_large_enough(),
    ):
        torch.nn.BatchNorm1d(3)(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="another"), _batches_large_enough():
        raise ValueError("another")
