"""The cases of a study as its card tells of them: those that are split, and of whom they are."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from triage.data import attributes
from triage.files import read_rows

Row = Mapping[str, str]


def read_cases(manifest: Path, split: Path) -> list[Row]:
    """The rows of the manifest with the partition of each case."""
    partition = {row["case"]: row["partition"] for row in read_rows(split)}
    rows = [row for row in read_rows(manifest) if row["case"] in partition]
    return [{**row, "partition": partition[row["case"]]} for row in rows]


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
