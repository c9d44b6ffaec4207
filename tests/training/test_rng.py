"""Draws depend on seed, epoch, purpose and key, and on nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from triage.training import rng

NAMES = [f"case{i}" for i in range(2000)]


def test_draws_are_even_over_the_unit_interval():
    drawn = rng.uniform(1, 0, "flip", rng.keys(NAMES))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts, _ = np.histogram(drawn, 10, (0, 1))
    assert abs(counts - 200).max() < 60


def test_other_seeds_epochs_and_purposes_draw_otherwise():
    keys = rng.keys(NAMES)
    first = rng.uniform(1, 0, "flip", keys)
    for other in (
        rng.uniform(2, 0, "flip", keys),
        rng.uniform(1, 1, "flip", keys),
        rng.uniform(1, 0, "turn", keys),
        rng.uniform(1, 0, "flip", rng.combine(keys, 1)),
    ):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.1


def test_seed_and_epoch_are_not_interchangeable():
    keys = rng.keys(NAMES)
    assert (rng.uniform(1, 2, "x", keys) != rng.uniform(2, 1, "x", keys)).all()


def test_draws_never_change():
    # Whatever else changes, a seed of today must give the same tomorrow.
    keys = rng.keys(["a", "b"])
    assert keys.tolist() == [3405396810240292928, 8453121595177857668]
    assert rng.uniform(1, 2, "flip", keys).tolist() == [0.778733995949015, 0.7845481806896722]
    assert rng.generator_seed(1, 2, 3) == 1712680657424147833


@given(st.permutations(NAMES[:30]), st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_order_is_one_of_the_set_not_of_the_rows(names, seed, epoch):
    straight, shuffled = rng.keys(sorted(names)), rng.keys(names)
    first = straight[rng.order(seed, epoch, straight)]
    second = shuffled[rng.order(seed, epoch, shuffled)]
    assert (first == second).all()
    assert sorted(first) == sorted(straight)


def test_a_case_draws_the_same_beside_other_cases():
    alone = rng.uniform(1, 0, "flip", rng.keys(["case7"]))
    assert alone[0] == rng.uniform(1, 0, "flip", rng.keys(NAMES))[7]
