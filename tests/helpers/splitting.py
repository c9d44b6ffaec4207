"""Tables of cases and how they are split."""

from __future__ import annotations

import pandas as pd

from triage.data import groups
from triage.data.groups import Shown, SplitSettings
from triage.data.split import check, make

Table = pd.DataFrame


def cases(rows: list[dict[str, str]]) -> Table:
    """A manifest of these cases, with defaults for what a row does not say."""
    filled = []
    for i, row in enumerate(rows):
        case = row.get("case", f"c{i:03}")
        defaults = {"case": case, "group": case, "votes": "", "partition": "", "sha256": case}
        filled.append(defaults | row)
    return pd.DataFrame(filled, columns=["case", "group", "label", "votes", "partition", "sha256"])


def balanced(each: int) -> Table:
    return cases([{"label": label} for label in ("normal", "abnormal") for _ in range(each)])


DEFAULTS = {
    "k": 4,
    "seed": 1,
    "validation": "fold",
    "test": "fold",
    "stratify": "label",
    "near_duplicate_bits": 4,
    "leaks": "error",
}


def settings(**changes: object) -> SplitSettings:
    return SplitSettings(**DEFAULTS | changes)  # type: ignore[arg-type]


def deal(
    manifest: Table,
    known: dict[str, int] | None = None,
    fingerprints: dict[str, str] | None = None,
    **changes: object,
) -> tuple[Table, dict[str, int]]:
    marks = dict.fromkeys(manifest["case"], "") | (fingerprints or {})
    shown = {case: Shown(mark, f"of {case}") for case, mark in marks.items()}
    return groups.make(manifest, shown, settings(**changes), known or {})


def split(
    manifest: Table, fold: int = 0, fingerprints: dict[str, str] | None = None, **changes: object
) -> Table:
    dealt, _ = deal(manifest, fingerprints=fingerprints, **changes)
    made = make(dealt, fold, settings(**changes))
    check(made)
    assert made["case"].tolist() == sorted(manifest["case"])
    return made


def parts(made: Table) -> dict[str, set[str]]:
    return {part: set(rows["case"]) for part, rows in made.groupby("partition")}


def with_parts() -> Table:
    return cases(
        [
            {"label": label, "partition": part}
            for part, count in (("train", 8), ("val", 2), ("test", 4))
            for label in ("n", "p")
            for _ in range(count)
        ]
    )


def of(manifest: Table, *names: str) -> set[str]:
    return set(manifest["case"][manifest["partition"].isin(names)])
