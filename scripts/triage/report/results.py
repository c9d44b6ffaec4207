"""The tables of a study's arms, as the page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.files import read_rows
from triage.report.tables import NONE, Cell, Table, count, number

METRICS = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
    "brier": "Brier score",
    "ece": "calibration error",
}
ZERO_RATE = "zero_rate"

Row = Mapping[str, str]


@dataclass(frozen=True)
class Results:
    """The arms with their metrics, published values beside ours, and what the chosen arm reaches.

    ``winner`` and ``reached`` (its ROC AUC with interval) are empty where no arm could be chosen.
    """

    arms: Table
    published: Table | None
    winner: str
    reached: Cell


def read_results(path: Path, data: str = "") -> Results:
    """The results of a study from its table; ``data`` names its data, if not as the table does."""
    rows = read_rows(path)
    chosen = next((row for row in rows if _is_chosen(row)), None)
    return Results(
        _arms([row for row in rows if _float(row["cases"]) or _float(row["runs"])]),
        _published(rows, data),
        arm_title(chosen["arm"]) if chosen else "",
        _metric(chosen, "roc_auc") if chosen else Cell(NONE),
    )


def _arms(rows: Sequence[Row]) -> Table:
    first, *others = METRICS.values()
    columns = ("arm", "runs", "cases", first, "difference", "p (Holm)", *others)
    marked = frozenset(i for i, row in enumerate(rows) if _is_chosen(row))
    note = (
        "difference: of the ROC AUC to that of the chosen arm, on the same cases, with its p-value "
        "corrected for the number of comparisons."
    )
    return Table("Arms", columns, tuple(map(_arm, rows)), marked, note)


def _is_chosen(row: Row) -> bool:
    return _float(row["winner"]) == 1


def _arm(row: Row) -> tuple[Cell, ...]:
    notes = ["chosen on validation"] * _is_chosen(row)
    notes += ["always says the commoner class"] * (row["arm"] == ZERO_RATE)
    notes += [f"starts from {row['weights']} weights"] * (row["weights"] not in ("", "random"))
    auc, *others = (_metric(row, metric) for metric in METRICS)
    return (
        Cell(arm_title(row["arm"]), notes=tuple(notes)),
        _count(row["runs"]),
        _count(row["cases"]),
        auc,
        number(_float(row["roc_auc_difference"])),
        number(_float(row["roc_auc_p_holm"])),
        *others,
    )


def arm_title(name: str) -> str:
    """An arm's name in words."""
    return name.replace("_", " ")


def _metric(row: Row, metric: str) -> Cell:
    notes = []
    low, high = _float(row[f"{metric}_low"]), _float(row[f"{metric}_high"])
    if low is not None and high is not None:
        notes.append(f"{low:.3f} to {high:.3f}")
    for kind in ("seeds", "folds"):
        deviation = _float(row[f"{metric}_sd_{kind}"])
        if deviation is not None:
            notes.append(f"± {deviation:.3f} over {kind}")
    return number(_float(row[metric]), notes=notes)


def _published(rows: Sequence[Row], data: str) -> Table | None:
    told = [row for row in rows if row["published_value"]]
    if not told:
        return None
    columns = ("arm", "metric", "part", "published", "on", "ours", "on our data", "source")
    body = []
    for row in told:
        deviation = _float(row["published_sd"])
        notes = () if deviation is None else (f"± {deviation:.3f}",)
        body.append(
            (
                Cell(arm_title(row["arm"]), notes=tuple(filter(None, [row["published_note"]]))),
                Cell(METRICS.get(row["published_metric"], row["published_metric"])),
                Cell({"val": "validation"}.get(row["published_split"], row["published_split"])),
                number(_float(row["published_value"]), 4, notes),
                Cell(row["published_data"]),
                number(_float(row["ours_value"]), 4),
                Cell((data or row["data"]) if row["data"] else "not run"),
                Cell(row["published_source"]),
            )
        )
    return Table("Published values, measured on other data, and ours", columns, tuple(body))


def _float(text: str) -> float | None:
    return float(text) if text else None


def _count(text: str) -> Cell:
    value = _float(text)
    return Cell(NONE) if value is None else count(int(value))
