"""What pictures show, in words: the numbers that they are drawn from, for who can't see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.report.results import METRICS, ZERO_RATE, Measured, Row, to_number
from triage.report.tables import Table

PICTURED = {
    "roc": "roc_auc",
    "precision_recall": "average_precision",
    "reliability": "ece",
    "scores": "roc_auc",
    "confusion": "balanced_accuracy",
    "seeds": "roc_auc",
}
OF_ARMS = ("seeds",)  # also where the others show the classes of the chosen arm

Json = Mapping[str, Any]


def seen(rows: Sequence[Row], measured: Measured, winner: str, counts: Table) -> dict[str, str]:
    """Words by name of a picture; ``rows`` are those of the study's table."""
    marked = next((counts.rows[place] for place in counts.marked), ())
    parts = zip(counts.columns[1:], marked[1:], strict=False)
    found = {"counts": f"All cases: {', '.join(f'{name} {cell.text}' for name, cell in parts)}."}
    classes: Mapping[str, Json] = next(
        (page["classes"] for page in measured.pages(winner) if "classes" in page), {}
    )
    for name, metric in PICTURED.items():
        by_class = bool(classes) and name not in OF_ARMS
        told = list(_of_classes(classes, metric) if by_class else _of_arms(rows, metric))
        if told:
            words, of = METRICS[metric], f"class of {winner}" if by_class else "arm"
            found[name] = f"{words[0].upper()}{words[1:]} by {of}: {'; '.join(told)}."
    return found


def _of_arms(rows: Sequence[Row], metric: str) -> Iterator[str]:
    for row in rows:
        if row["arm"] != ZERO_RATE and metric in row:
            limits = (to_number(row[metric + part]) for part in ("", "_low", "_high"))
            yield from _written(row["arm"], *limits)


def _of_classes(classes: Mapping[str, Json], metric: str) -> Iterator[str]:
    for name, page in classes.items():
        estimate = page["metrics"].get(metric, {})
        yield from _written(name, *(estimate.get(key) for key in ("value", "low", "high")))


def _written(
    name: str, value: float | None, low: float | None, high: float | None
) -> Iterator[str]:
    if value is not None and low is not None and high is not None:
        yield f"{name} {value:.3f} ({low:.3f} to {high:.3f})"
