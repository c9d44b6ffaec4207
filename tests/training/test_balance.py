"""Balanced epochs: which samples come how often."""

import numpy as np
import pytest

from training_parts import settings
from training_runs import dense, fit
from triage.errors import UserError
from triage.training import rng
from triage.training.balance import plan

KEYS = rng.keys(f"case{i}" for i in range(40))
RARE = np.repeat([[1.0], [0.0]], (8, 32), axis=0).astype(np.float32)


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
