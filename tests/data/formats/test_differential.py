"""The readers and the field's own: equal voxels at equal places, or refused."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import differential


@pytest.mark.parametrize("kind", differential.MADE)
@given(rng=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_files_are_read_as_the_fields_readers_read_them(
    kind: str, rng: random.Random
) -> None:
    assert differential.compare(kind, rng) == "equal"


def test_the_files_that_packages_ship_are_read_alike_or_refused(tmp_path: Path) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library, path, check in differential.shipped(tmp_path):
            counts[library, check(path)] += 1
    print(dict(counts))
    assert counts["pydicom, pictures", "equal"] >= 70
    assert counts["pydicom, volumes", "equal"] >= 40
    assert counts["nibabel", "equal"] >= 3
