"""The evaluation of a run from tables of predictions, as the script makes it from files."""

from __future__ import annotations

from typing import Any

import pandas as pd

from triage.evaluation.evaluate import evaluate_samples
from triage.evaluation.samples import sample_of
from triage.evaluation.settings import EvaluationSettings


def evaluate_run(
    val: pd.DataFrame | None,
    test: pd.DataFrame | None,
    split: pd.DataFrame,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    return evaluate_samples(
        sample_of(val, split, "validation predictions"),
        sample_of(test, split, "test predictions"),
        split,
        settings,
    )
