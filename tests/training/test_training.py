"""The training loop: what it promises, on networks and data small enough to do it in no time."""

import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from training_parts import SGD, close, same
from training_runs import cohort, dense, fit, samples
from triage.errors import UserError
from triage.training import balance, optimizers
from triage.training.balance import in_order
from triage.training.inference import predict
from triage.training.job import _batches_large_enough
from triage.training.precision import Autocast, resolved
from triage.training.scores import scores
from triage.training.settings import Optimizer


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
