"""What every threshold decides: the counts that the page moves along."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from triage.evaluation.samples import Sample
from triage.report.thresholds import MOST, steps

SCORES = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0, np.nan])), min_size=2, max_size=60
)


def sample(scores: list[tuple[float, float]]) -> Sample:
    probabilities, labels = np.array(scores).T[:, :, None]
    names = np.array([f"case{i}" for i in range(len(scores))])
    return Sample(names, names, ("yes",), labels, np.zeros_like(labels), probabilities)


def metrics(threshold: float | None = 0.4, chosen_on: str = "val") -> dict[str, Any]:
    if threshold is None:
        return {"operating_point": "argmax", "choices": {"yes": {"operating_points": {}}}}
    point = {"threshold": threshold, "chosen_on": chosen_on}
    return {
        "operating_point": "youden",
        "choices": {"yes": {"operating_points": {"youden": point}}},
    }


@given(SCORES, st.floats(0, 1))
def test_counts_are_those_of_cases_above_each_threshold(
    scores: list[tuple[float, float]], stored: float
) -> None:
    labels = [label for _, label in scores]
    found = steps(sample(scores), metrics(stored))
    if not {0.0, 1.0} <= set(labels):
        assert found == []
        return
    (each,) = found
    assert each.stored in each.thresholds
    assert (each.positives, each.negatives) == (labels.count(1.0), labels.count(0.0))
    for threshold, hits, alarms in zip(each.thresholds, each.hits, each.alarms, strict=True):
        assert hits == sum(score > threshold for score, label in scores if label == 1)
        assert alarms == sum(score > threshold for score, label in scores if label == 0)
    assert (each.hits[-1], each.alarms[-1]) == (0, 0)


def test_many_cases_have_few_steps() -> None:
    drawn = np.random.default_rng(0).random(20 * MOST)
    (each,) = steps(sample([(float(p), float(p > 0.5)) for p in drawn]), metrics())
    assert MOST <= len(each.thresholds) <= MOST + 2
    assert (each.hits[0], each.alarms[0]) == (each.positives, each.negatives)


def test_it_says_whether_validation_chose_the_stored_threshold() -> None:
    scores = [(0.2, 0.0), (0.6, 1.0)]
    told = [
        (each.stored, each.validated)
        for content in (metrics(0.3), metrics(0.5, "fixed"), metrics(None))
        for each in steps(sample(scores), content)
    ]
    assert told == [(0.3, True), (0.5, False), (None, False)]
    assert steps(None, metrics()) == []
