"""What every threshold of a run decides, for readers who move it on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from triage.evaluation.operating import rates
from triage.evaluation.samples import Sample
from triage.evaluation.settings import ARGMAX

MOST = 400  # thresholds of a class that the page has

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Steps:
    """Of a class: some thresholds, and how many of its ``positives`` and ``negatives`` lie above.

    ``stored`` is the threshold that the run decides at, if it has any, and ``validated`` whether
    validation chose it. No case is named, and none can be told by its place.
    """

    name: str
    positives: int
    negatives: int
    stored: float | None
    validated: bool
    thresholds: tuple[float, ...]
    hits: tuple[int, ...]
    alarms: tuple[int, ...]


def steps(sample: Sample | None, metrics: Json) -> list[Steps]:
    """The steps of each class whose cases are labelled both ways, one against all others."""
    if sample is None:
        return []
    found = (_of_class(sample, place, metrics) for place in range(len(sample.classes)))
    return [each for each in found if each]


def _of_class(sample: Sample, place: int, metrics: Json) -> Steps | None:
    known = ~np.isnan(sample.labels[:, place])
    labels, scores = sample.labels[known, place], sample.probabilities[known, place]
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    if not len(positive) or not len(negative):
        return None
    name, point = sample.classes[place], metrics["operating_point"]
    chosen: Json = {}
    if point != ARGMAX:
        chosen = metrics["choices"][name]["operating_points"][point]
    every = np.maximum(rates(labels, scores)[0], 0)
    places = np.linspace(0, len(every) - 1, min(MOST, len(every))).round().astype(int)
    kept = np.unique([*every[places], 1.0, chosen.get("threshold", 1.0)])
    return Steps(
        name,
        len(positive),
        len(negative),
        chosen.get("threshold"),
        chosen.get("chosen_on") == "val",
        tuple(kept.tolist()),
        tuple((len(positive) - np.searchsorted(positive, kept, "right")).tolist()),
        tuple((len(negative) - np.searchsorted(negative, kept, "right")).tolist()),
    )
