"""Mixed samples: what they are made of, on what they depend, and how their labels count."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from torch.nn import functional

from training_runs import cohort, dense, fit, recipe, samples
from triage.task import Task
from triage.training import balance, rng
from triage.training.losses import Labels, objective_for
from triage.training.mix import mixed
from triage.training.samples import batches
from triage.training.settings import Mix

COUNT = 12
MIXUP, CUTMIX = Mix("mixup", 1.0, 0.5), Mix("cutmix", 1.0, 1.0)
KEYS = rng.keys(f"case{i}" for i in range(COUNT))
NAMES = ("a", "b", "c")


class Pictures:
    """Each of one number: pictures, or volumes of pictures."""

    images_each = 1

    def __init__(self, shape=(1, 9, 13), targets=None):
        self.keys, self.size = KEYS, shape[-2:]
        self.inputs = torch.arange(COUNT).float().view(-1, *[1] * len(shape)).expand(-1, *shape)
        self.targets = torch.zeros(COUNT, 1) if targets is None else targets

    def __len__(self):
        return COUNT

    def batches(self, plan, bounds, epoch):
        for start, end in bounds:
            yield self.inputs[torch.from_numpy(plan.rows[start:end])]


def plan(epoch=0, keys=KEYS):
    return balance.plan(recipe().balance, 1, epoch, keys, np.zeros((len(keys), 1)), None)


def drawn(settings, pictures=None, epoch=0, seed=1):
    return mixed(settings, seed, epoch, plan(epoch), pictures or Pictures())


def every(mixture, size=COUNT):
    return torch.cat(list(mixture.batches(batches(0, COUNT, size))))


@pytest.mark.parametrize("settings", [MIXUP, CUTMIX])
@pytest.mark.parametrize("shape", [(1, 9, 13), (3, 2, 9, 13)])
def test_each_sample_is_mixed_with_the_next_by_its_share(settings, shape):
    mixture = drawn(settings, Pictures(shape))
    own = torch.from_numpy(plan().rows).float()
    others = own.roll(-1)
    found = every(mixture)
    expected = mixture.shares * own + (1 - mixture.shares) * others
    assert torch.allclose(found.flatten(1).mean(1), expected, atol=1e-5)
    assert (mixture.shares >= 0.5).all()
    assert mixture.shares.std() > 0.1
    if settings is CUTMIX:
        ends = torch.stack([own, others], 1)
        assert (found.flatten(1)[:, :, None] == ends[:, None]).any(2).all()
        assert torch.equal(
            found,
            found.flatten(1, -3)[:, :1]
            .reshape(-1, *[1] * (len(shape) - 2), 9, 13)
            .expand_as(found),
        )
    else:
        assert torch.allclose(found.flatten(1), expected[:, None], atol=1e-5)


@pytest.mark.parametrize("settings", [MIXUP, CUTMIX])
def test_mixing_depends_on_the_sample_and_the_epoch_alone(settings):
    found = every(drawn(settings))
    assert torch.equal(found, every(drawn(settings), size=5))
    assert torch.equal(found, every(drawn(settings), size=1))
    assert not torch.equal(found, every(drawn(settings, epoch=1)))
    assert not torch.equal(found, every(drawn(settings, seed=2)))


def test_memory_stays_in_the_order_that_networks_are_fast_on():
    pictures = Pictures((3, 9, 13))
    pictures.inputs = pictures.inputs.contiguous(memory_format=torch.channels_last)
    for settings in (MIXUP, CUTMIX):
        (found,) = drawn(settings, pictures).batches([(0, COUNT)])
        assert found.is_contiguous(memory_format=torch.channels_last)


@limits(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(1e-3, 1e3), st.sampled_from(["mixup", "cutmix"]))
def test_a_sample_that_is_not_mixed_is_as_it_was(probability, alpha, method):
    mixture = drawn(Mix(method, probability, alpha))
    found, alone = every(mixture), every(drawn(None))
    unmixed = mixture.shares == 1
    assert torch.equal(found[unmixed], alone[unmixed])
    assert torch.isfinite(found).all()
    if probability == 0:
        assert unmixed.all()


def loss_of(task, settings, logits, targets, unknown=False):
    """The summed loss of mixed samples, what their labels weigh, and their targets as shares."""
    chosen = objective_for(task, settings, targets, NAMES[: targets.shape[1]])
    mixture = drawn(MIXUP, Pictures(targets=targets))
    own, others = mixture.labels(Labels(targets, chosen.weights(targets)))
    loss = sum(
        (chosen.elements(logits, each.targets) * each.weights).sum() for each in (own, others)
    )
    share = mixture.shares[:, None]
    soft = share * own.targets + (1 - share) * others.targets
    return chosen, loss, (own.weights + others.weights).sum(), soft


@pytest.mark.parametrize("weights", ["none", "inverse"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_classes_is_torchs_of_probabilities(weights, smoothing):
    targets = torch.eye(3)[torch.arange(COUNT) % 5 % 3]
    logits = torch.randn(COUNT, 3)
    settings = dataclasses.replace(recipe().loss, class_weights=weights, label_smoothing=smoothing)
    chosen, loss, weight, soft = loss_of(Task.MULTICLASS, settings, logits, targets)
    expected = functional.cross_entropy(
        logits, soft, chosen.weight_of, reduction="sum", label_smoothing=smoothing
    )
    assert torch.allclose(loss, expected, rtol=1e-5)
    assert torch.allclose(weight, (soft @ chosen.weight_of).sum())


@pytest.mark.parametrize("pos_weight", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_labels_is_torchs_of_probabilities(pos_weight, smoothing):
    targets = (torch.arange(COUNT)[:, None] % torch.tensor([2, 3, 4]) == 0).float()
    logits = torch.randn(COUNT, 3)
    settings = dataclasses.replace(recipe().loss, pos_weight=pos_weight, label_smoothing=smoothing)
    chosen, loss, weight, soft = loss_of(Task.MULTILABEL, settings, logits, targets)
    expected = functional.binary_cross_entropy_with_logits(
        logits,
        soft * (1 - smoothing) + smoothing / 2,
        pos_weight=chosen.factor_of_positive,
        reduction="sum",
    )
    assert torch.allclose(loss, expected, rtol=1e-5)
    assert torch.allclose(weight, torch.tensor(3.0 * COUNT))


def test_unknown_labels_count_for_nothing_and_known_ones_by_their_share():
    targets = torch.ones(COUNT, 2)
    targets[::2, 1] = torch.nan
    settings = recipe().loss
    chosen = objective_for(Task.MULTILABEL, settings, targets, NAMES[:2])
    mixture = drawn(MIXUP, Pictures(targets=targets))
    own, others = mixture.labels(Labels(targets, chosen.weights(targets)))
    known = ~targets[torch.from_numpy(plan().rows)].isnan()
    share = mixture.shares[:, None]
    assert torch.equal(own.weights, known * share)
    assert torch.equal(others.weights, known.roll(-1, 0) * (1 - share))


@pytest.mark.parametrize("mix", [{"method": "mixup", "probability": 0.8, "alpha": 0.4}])
def test_accumulated_mixed_batches_are_one_big_batch(tmp_path, mix):
    features, targets = cohort(24, outputs=3)
    targets[::3, 1] = np.nan
    train, val = samples(features, targets), samples(*cohort(24, outputs=3, seed=1))
    changes = {"loss": {"class_weights": "inverse", "pos_weight": "balanced"}, "mix": mix}
    big = fit(dense(outputs=3), tmp_path / "a", train, val, batch_size=12, **changes)
    small = fit(dense(outputs=3), tmp_path / "b", train, val, batch_size=4, grad_accum=3, **changes)
    alone = fit(dense(outputs=3), tmp_path / "c", train, val, batch_size=12, mix=None)
    for name, each in big.weights.items():
        assert torch.allclose(each, small.weights[name], atol=1e-4)
    assert big.history[-1]["loss"] != alone.history[-1]["loss"]


def test_what_is_learnt_by_mixing_is_told_by_its_own_labels(tmp_path):
    mix = {"method": "mixup", "probability": 1.0, "alpha": 0.2}
    history = fit(dense(), tmp_path, samples(*cohort(64)), mix=mix, epochs=20).history
    assert history[-1]["accuracy"] > 0.75
    assert history[-1]["loss"] < history[0]["loss"]
