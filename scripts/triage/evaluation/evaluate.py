"""Metrics of one run: how its predictions on the validation and test parts compare with the labels.

Thresholds and temperature come from the validation part and the zero rate from the training part;
the test part chooses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from triage.errors import UserError
from triage.evaluation import metrics, multiclass
from triage.evaluation.calibration import Reliability
from triage.evaluation.choices import Choices, choices_of
from triage.evaluation.metrics import OUTCOMES, Decision, ones
from triage.evaluation.multiclass import Agreement
from triage.evaluation.operating import POINTS
from triage.evaluation.samples import Sample
from triage.evaluation.scoring import (
    CALIBRATED,
    RELIABILITY,
    SCORES,
    ZERO_RATE,
    Estimates,
    Measured,
    Scope,
    main_sections,
    measure,
    prepare,
)
from triage.evaluation.settings import ARGMAX, EvaluationSettings
from triage.task import Task


def evaluate_samples(
    val: Sample | None, test: Sample | None, split: pd.DataFrame, settings: EvaluationSettings
) -> dict[str, Any]:
    """The content of a run's metrics.json: choices, and metrics with intervals by partition.

    A partition without cases is None. Raises UserError where the two predict different classes.
    """
    if val and test and val.classes != test.classes:
        raise UserError(
            f"validation predicts {', '.join(val.classes)}; test {', '.join(test.classes)}",
            remedy="predict both with one model",
        )
    known = val or test
    classes = known.classes if known else tuple(sorted(settings.task.outputs(settings.classes)))
    exclusive = settings.task is Task.MULTICLASS
    choices = choices_of(val, split, classes, settings.sensitivity, exclusive)
    left_out = split["left_out"].dropna().unique().tolist() if "left_out" in split else []
    return {
        "operating_point": settings.point,
        **({"left_out": left_out[0]} if left_out else {}),
        "choices": choices.as_json(),
        "partitions": {
            "val": summarise(val, choices, settings) if val else None,
            "test": summarise(test, choices, settings) if test else None,
        },
    }


def summarise(sample: Sample, choices: Choices, settings: EvaluationSettings) -> dict[str, Any]:
    """All metrics of a sample as plain data: of its one class, or over classes and by class."""
    groups = len(np.unique(sample.groups))
    found = measure(prepare(sample, choices, settings.bins), groups, settings)
    counts = {
        "cases": len(sample.cases),
        "unlabelled": int(np.isnan(sample.labels).all(axis=1).sum()),
        "groups": groups,
    }
    pages = {name: _page(scope, found, settings) for name, scope in found.scopes.items()}
    if len(sample.classes) == 1:
        return counts | pages[sample.classes[0]]
    micro = {"micro": pages.pop("micro")} if "micro" in pages else {}
    overall = _sections(found.overall, settings)
    if found.joint:
        (agreement,) = [
            each for each in found.joint.measures[ARGMAX] if isinstance(each, Agreement)
        ]
        matrix = agreement.confusion(ones(len(found.joint.index)))[0].astype(int)
        overall["operating_points"][ARGMAX]["confusion"] = matrix.tolist()
        counts["labelled"] = len(found.joint.index)
    return counts | overall | micro | {"classes": pages}


def _sections(
    estimates: Estimates, settings: EvaluationSettings, by_class: bool = False
) -> dict[str, Any]:
    """Estimates by section; the main metrics are those of the scores and of the operating point."""
    exclusive = settings.point == ARGMAX

    def of(section: str, names: Sequence[str]) -> dict[str, Any]:
        return {
            metric: estimates[section, metric].as_json()
            for metric in names
            if (section, metric) in estimates
        }

    over_all = exclusive and not by_class
    source = multiclass if over_all else metrics
    main = main_sections(settings.point, settings.ordinal, over_all)
    return {
        "metrics": {metric: estimates[key, metric].as_json() for metric, key in main.items()},
        "operating_points": {
            point: {"metrics": of(point, source.DECISION)}
            for point in ((ARGMAX,) if exclusive else POINTS)
        },
        "calibrated": {"metrics": of(CALIBRATED, source.PROBABILITY)},
        "zero_rate": {"metrics": of(ZERO_RATE, tuple(main))},
    }


def _page(scope: Scope, found: Measured, settings: EvaluationSettings) -> dict[str, Any]:
    """The sections of a scope with its counts, confusion matrices and reliability curve."""
    estimates = found.by_scope[scope.name]
    sections = _sections(estimates, settings, by_class=True)
    for point, page in sections["operating_points"].items():
        counts = Decision(scope.labels, scope.decided[point]).confusion(ones(len(scope.labels)))
        page["confusion"] = dict(zip(OUTCOMES, map(int, counts[0]), strict=True))
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
