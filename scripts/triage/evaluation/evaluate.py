"""Metrics of one run: how its predictions on the validation and test parts compare with the labels.

Thresholds and temperature come from the validation part and the zero rate from the training part;
the test part chooses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from annotated_types import Ge, Gt, Le, Lt

from triage.constraints import Seed
from triage.errors import UserError
from triage.evaluation.calibration import Reliability
from triage.evaluation.choices import Choices, choices_of
from triage.evaluation.metrics import (
    DECISION,
    METRICS,
    OUTCOMES,
    PROBABILITY,
    Decision,
    ones,
)
from triage.evaluation.operating import POINTS, Point
from triage.evaluation.samples import Sample, sample_of
from triage.evaluation.scoring import (
    CALIBRATED,
    RELIABILITY,
    SCORES,
    ZERO_RATE,
    Estimates,
    Scope,
    macro,
    main_sections,
    replicate,
    scopes_of,
)

HEADLINE = (
    "roc_auc",
    "average_precision",
    "balanced_accuracy",
    "recall",
    "specificity",
    "f1",
    "brier",
)


@dataclass(frozen=True)
class EvaluationSettings:
    """How predictions are judged."""

    replicates: Annotated[int, Ge(100)] = 2000
    """Bootstrap rounds of the intervals."""
    confidence: Annotated[float, Gt(0.5), Lt(1)] = 0.95
    """Of the intervals."""
    sensitivity: Annotated[float, Gt(0), Le(1)] = 0.9
    """What the operating point of that name reaches on validation, at least."""
    seed: Seed = 1
    """Of the bootstrap."""
    bins: Annotated[int, Ge(2)] = 10
    """Of the reliability curve and the calibration error."""
    operating_point: Point = "youden"
    """Decides between positive and negative in the main metrics."""


def evaluate_run(
    predictions_val: pd.DataFrame | None,
    predictions_test: pd.DataFrame | None,
    split: pd.DataFrame,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    """The content of a run's metrics.json: choices, and metrics with intervals by partition.

    A partition without cases is None. Raises UserError as ``sample_of`` does.
    """
    return evaluate_samples(
        sample_of(predictions_val, split, "validation predictions"),
        sample_of(predictions_test, split, "test predictions"),
        split,
        settings,
    )


def evaluate_samples(
    val: Sample | None, test: Sample | None, split: pd.DataFrame, settings: EvaluationSettings
) -> dict[str, Any]:
    """The same from samples. Raises UserError where the two predict different classes."""
    if val and test and val.classes != test.classes:
        raise UserError(
            f"validation predicts {', '.join(val.classes)}; test {', '.join(test.classes)}",
            remedy="predict both with one model",
        )
    known = val or test
    choices = choices_of(val, split, known.classes if known else (), settings.sensitivity)
    return {
        "operating_point": settings.operating_point,
        "choices": choices.as_json(),
        "partitions": {
            "val": summarise(val, choices, settings) if val else None,
            "test": summarise(test, choices, settings) if test else None,
        },
    }


def headline(content: dict[str, Any]) -> dict[str, float]:
    """The numbers of a run that are worth following from change to change.

    Those of the test part, and of validation the one by which arms are chosen; what is undefined
    is left out.
    """
    parts = content["partitions"]
    found = {
        f"{prefix}{metric}": part["metrics"][metric]["value"]
        for prefix, part, metrics in (
            ("val_", parts["val"], ("roc_auc",)),
            ("", parts["test"], HEADLINE),
        )
        if part
        for metric in metrics
    }
    return {name: round(value, 4) for name, value in found.items() if value is not None}


def summarise(sample: Sample, choices: Choices, settings: EvaluationSettings) -> dict[str, Any]:
    """All metrics of a sample as plain data: of its one class, or macro, micro and by class."""
    scopes = scopes_of(sample, choices, settings.bins)
    groups = len(np.unique(sample.groups))
    resamples = replicate(scopes, groups, settings.replicates, settings.seed)
    found = [
        scope.estimates(rounds, settings.confidence)
        for scope, rounds in zip(scopes, resamples, strict=True)
    ]
    counts = {
        "cases": len(sample.cases),
        "unlabelled": int(np.isnan(sample.labels).all(axis=1).sum()),
        "groups": groups,
    }
    pages = [_page(*each, settings) for each in zip(scopes, found, strict=True)]
    if len(pages) == 1:
        return counts | pages[0]
    averages = macro(dict(zip(sample.classes, found, strict=False)))
    by_class = dict(zip(sample.classes, pages, strict=False))
    return counts | _sections(averages, settings) | {"micro": pages[-1], "classes": by_class}


def _sections(estimates: Estimates, settings: EvaluationSettings) -> dict[str, Any]:
    """Estimates by section; the main metrics are those of the scores and of the operating point."""
    main = main_sections(settings.operating_point)

    def of(section: str, metrics: Sequence[str]) -> dict[str, Any]:
        return {metric: estimates[section, metric].as_json() for metric in metrics}

    return {
        "metrics": {metric: estimates[key, metric].as_json() for metric, key in main.items()},
        "operating_points": {point: {"metrics": of(point, DECISION)} for point in POINTS},
        "calibrated": {"metrics": of(CALIBRATED, PROBABILITY)},
        "zero_rate": {"metrics": of(ZERO_RATE, METRICS)},
    }


def _page(scope: Scope, estimates: Estimates, settings: EvaluationSettings) -> dict[str, Any]:
    """The sections of a scope with its counts, confusion matrices and reliability curve."""
    sections = _sections(estimates, settings)
    for point in POINTS:
        counts = Decision(scope.labels, scope.decided[point]).confusion(ones(len(scope.labels)))
        matrix = dict(zip(OUTCOMES, map(int, counts[0]), strict=True))
        sections["operating_points"][point]["confusion"] = matrix
    curve = Reliability(scope.labels, scope.scores[SCORES], settings.bins)
    sections["reliability"] = [
        {
            "from": number / settings.bins,
            "to": (number + 1) / settings.bins,
            "cases": int(curve.cases[number]),
            "probability": float(curve.mean[number]) if curve.cases[number] else None,
            "observed": estimates[RELIABILITY, str(number)].as_json(),
        }
        for number in range(settings.bins)
    ]
    return {"labelled": len(scope.labels), "positives": int(scope.labels.sum())} | sections
