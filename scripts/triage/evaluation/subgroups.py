"""Metrics of one run by sex, age and whatever else the manifest knows of cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from triage.data import attributes
from triage.evaluation.choices import Choices
from triage.evaluation.evaluate import summarise
from triage.evaluation.samples import Sample
from triage.evaluation.settings import EvaluationSettings

SEXES = {"F": "women and girls", "M": "men and boys"}
AGES = ((0, 18), (18, 40), (40, 65), (65, 121))  # years, the upper one not included

MOST_VALUES = 12  # of an attribute that makes subgroups


@dataclass(frozen=True)
class Subgroup:
    """Some of the cases, and their page of metrics as ``summarise`` gives it."""

    name: str
    cases: int
    page: Mapping[str, Any]


def members(manifest: Iterable[Mapping[str, str]]) -> dict[str, set[str]]:
    """The cases of each subgroup; only subgroups that have some.

    Of an attribute other than sex and age each value is one, if there are few and more than one.
    """
    found: dict[str, set[str]] = {name: set() for name in (*SEXES.values(), *map(_band, AGES))}
    others: dict[str, dict[str, set[str]]] = {}
    for row in manifest:
        known = attributes.of(row)
        for name in known.keys() - {attributes.SEX, attributes.AGE}:
            others.setdefault(name, {}).setdefault(known[name], set()).add(row["case"])
        if known.get("sex") in SEXES:
            found[SEXES[known["sex"]]].add(row["case"])
        if "age" in known:
            band = next(each for each in AGES if float(known["age"]) < each[1])
            found[_band(band)].add(row["case"])
    for name, values in sorted(others.items()):
        if 1 < len(values) <= MOST_VALUES:
            found |= {f"{name}: {value}": values[value] for value in sorted(values)}
    return {name: cases for name, cases in found.items() if cases}


def by_subgroup(
    sample: Sample,
    choices: Choices,
    manifest: Iterable[Mapping[str, str]],
    settings: EvaluationSettings,
) -> list[Subgroup]:
    """The metrics of each subgroup that ``sample`` has cases of, with the run's own choices."""
    found = []
    for name, cases in members(manifest).items():
        mask = np.isin(sample.cases, sorted(cases))
        if mask.any():
            page = summarise(sample.subset(mask), choices, settings)
            found.append(Subgroup(name, int(mask.sum()), page))
    return found


def _band(years: tuple[int, int]) -> str:
    low, high = years
    if not low:
        return f"under {high}"
    return f"{low} and over" if high > 120 else f"{low} to {high - 1}"
