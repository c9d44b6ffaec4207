"""The cases of a study as its card tells of them: those that are split, and of whom they are."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from triage.data import attributes

Row = Mapping[str, str]


def people(rows: Sequence[Row]) -> str:
    """Age and sex of the cases."""
    known = [attributes.of(row) for row in rows]
    ages = [float(each["age"]) for each in known if "age" in each]
    sexes = Counter(each["sex"] for each in known if "sex" in each)
    parts = []
    if ages:
        parts.append(
            f"Age of {len(ages)} cases: median {statistics.median(ages):g} years, "
            f"{min(ages):g} to {max(ages):g}."
        )
    if sexes:
        told = ", ".join(f"{name} {count}" for name, count in sorted(sexes.items()))
        parts.append(f"Sex: {told}, unknown {len(rows) - sexes.total()}.")
    return " ".join(parts) or "Age and sex of the cases are not known."
