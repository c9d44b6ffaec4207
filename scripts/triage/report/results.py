"""The tables of a study's arms, as the page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.files import read_json, read_rows
from triage.report import decisions
from triage.report.estimates import classes_counted
from triage.report.tables import NONE, Cell, Table, count, number
from triage.report.words import flipped, over

METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
    "kappa": "Cohen's kappa",
    "kappa_quadratic": "quadratic kappa",
    "brier": "Brier score",
    "log_loss": "log loss",
    "ece": "calibration error",
    "ece_classwise": "classwise calibration error",
    "roc_auc_weighted": "ROC AUC by share",
    "average_precision_weighted": "average precision by share",
    "f1_weighted": "F1 by share",
}
ZERO_RATE = "zero_rate"
LEFT_OUT = ("roc_auc", "balanced_accuracy", "accuracy")  # metrics of each value that is left out
PARTS = {"val": "validation", "test": "test"}
LEAST_SHOWN = 0.001  # of p-values
UNMEASURED = "no case outside the training part is labelled"
FLOOR = (
    "The floor is the best on validation of the arms without a network; ahead of it is what has a "
    "higher ROC AUC on the same cases by more than chance. "
)
DASH = (
    f"A dash ({NONE}) stands where a metric is undefined for these cases, as precision is where no "
    "case is called positive, or none of one class (each run's metrics.json says why), and where "
    "there is nothing to compare."
)

Row = Mapping[str, str]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """The arms with their metrics, published values beside ours, and what the chosen arm reaches.

    ``unrun`` are published values of arms that were not run.
    ``winner`` and ``reached`` (its ROC AUC with interval) are empty where no arm could be chosen.
    ``partition`` is the part that all is measured on, None where no case is. ``decisions`` says how
    thresholds were chosen; ``left_out`` has each value of an attribute that is left out in turn.
    ``names`` are those of the arms that were run.
    """

    arms: Table
    published: Table | None
    unrun: Table | None
    winner: str
    reached: Cell
    partition: str | None
    decisions: str
    names: tuple[str, ...]
    left_out: Table | None


@dataclass(frozen=True)
class Measured:
    """The metrics of all runs by arm, and the part that the table is about, if any."""

    runs: Mapping[str, Sequence[Json]]
    partition: str | None

    @property
    def compared(self) -> bool:
        """Whether arms are tested against each other: not where the same cases chose the best."""
        return self.partition not in (None, "val")

    def pages(self, arm: str) -> list[Json]:
        """The metrics of an arm's runs; of the zero rate, those that any run has of it."""
        known = self.partition or ""
        if arm != ZERO_RATE:
            return [
                page for run in self.runs.get(arm, ()) if (page := run["partitions"].get(known))
            ]
        pages = [page for each in self.runs for page in self.pages(each)]
        return [{**page, "metrics": page["zero_rate"]["metrics"]} for page in pages]


def read_metrics(paths: Sequence[Path]) -> dict[str, list[Json]]:
    """The metrics of all runs, by arm."""
    found: dict[str, list[Json]] = {}
    for path in paths:
        found.setdefault(path.parent.name, []).append(read_json(path))
    return found


def read_results(path: Path, metrics: Mapping[str, Sequence[Json]], data: str = "") -> Results:
    """The results of a study from its table and the ``metrics`` of its runs, by arm.

    ``data`` names its data, if not as the table does.
    """
    rows = read_rows(path)
    chosen = next((row for row in rows if is_chosen(row)), None)
    measured = [row for row in rows if to_number(row["cases"])]
    found = Measured(metrics, measured[0]["partition"] if measured else None)
    return Results(
        arms_table([row for row in rows if row in measured or to_number(row["runs"])], found),
        _published([row for row in rows if row["data"]], data),
        _published([row for row in rows if not row["data"]], data),
        chosen["arm"] if chosen else "",
        _reached(chosen, found),
        found.partition,
        decisions.of_study(run for runs in metrics.values() for run in runs),
        tuple(row["arm"] for row in rows if to_number(row["runs"]) and row["arm"] != ZERO_RATE),
        _left_out(metrics),
    )


def _left_out(metrics: Mapping[str, Sequence[Json]]) -> Table | None:
    """What each arm's run reaches on the cases that it was not trained at all alike, by value."""
    names = sorted(
        {run["left_out"] for runs in metrics.values() for run in runs if "left_out" in run}
    )
    if not names:
        return None
    body = []
    for name in names:
        for arm, runs in metrics.items():
            pages = [run["partitions"]["test"] for run in runs if run.get("left_out") == name]
            if pages := [page for page in pages if page]:
                body.append((Cell(arm), Cell(name), count(pages[0]["cases"]), *_means(pages)))
    columns = ("arm", "left out", "cases", *(METRICS[metric] for metric in LEFT_OUT))
    note = "Trained on all other values. Of several seeds the mean, with the widest interval."
    return Table("Arms on what was left out", columns, tuple(body), note=note)


def _means(pages: Sequence[Json]) -> Iterator[Cell]:
    for metric in LEFT_OUT:
        found = [page["metrics"].get(metric, {}) for page in pages]
        if any(each.get("value") is None for each in found):
            yield Cell(NONE)
            continue
        low, high = min(each["low"] for each in found), max(each["high"] for each in found)
        value = sum(each["value"] for each in found) / len(found)
        yield number(value, notes=(f"{low:.3f} to {high:.3f}",))


def arms_table(rows: Sequence[Row], measured: Measured, title: str = "") -> Table:
    """The arms of a study's table, with another ``title`` than that of the study's own part."""
    p_value = ("p (Holm)",) if measured.compared else ()
    metrics = [metric for metric in METRICS if rows and metric in rows[0]] or ["roc_auc"]
    first, *others = (METRICS[metric] for metric in metrics)
    if not title:
        part = PARTS.get(measured.partition or "")
        title = f"Arms, on the {part} part" if part else f"Arms: {UNMEASURED}"
    corrected = ", with its p-value corrected for the number of comparisons" if p_value else ""
    return Table(
        title,
        ("arm", "runs", "cases", first, "difference", *p_value, *others),
        tuple(_arm(row, metrics, measured) for row in rows),
        frozenset(i for i, row in enumerate(rows) if is_chosen(row)),
        f"difference: of the ROC AUC to that of the chosen arm, on the same cases{corrected}. "
        f"{FLOOR * any(map(is_floor, rows))}{DASH}",
    )


def is_chosen(row: Row) -> bool:
    """Whether validation chose the arm of a row."""
    return to_number(row["winner"]) == 1


def is_floor(row: Row) -> bool:
    """Whether the arm of a row is no network, but what one has to be ahead of."""
    return to_number(row["floor"]) == 1


def _arm(row: Row, metrics: Sequence[str], measured: Measured) -> tuple[Cell, ...]:
    notes = ["chosen on validation"] * is_chosen(row)
    notes += ["always says the commoner class"] * (row["arm"] == ZERO_RATE)
    notes += ["no network"] * is_floor(row)
    notes += ["not shown to be ahead of the floor"] * (
        measured.compared and to_number(row["ahead"]) == 0
    )
    notes += [f"starts from {row['initialisation']} weights"] * (
        row["initialisation"] not in ("", "random")
    )
    runs = measured.runs.get(row["arm"], ())
    notes += filter(None, [*map(over, runs[:1]), *map(flipped, runs[:1]), decisions.of_arm(runs)])
    auc, *others = cells(row, metrics, measured)
    p_value = [_p_value(to_number(row["roc_auc_p_holm"]))] * measured.compared
    return (
        Cell(row["arm"], notes=tuple(notes)),
        _count(row["runs"]),
        _count(row["cases"]),
        auc,
        _difference(row),
        *p_value,
        *others,
    )


def _p_value(p: float | None) -> Cell:
    small = p is not None and p < LEAST_SHOWN
    return Cell(f"< {LEAST_SHOWN}", p) if small else number(p)


def _difference(row: Row) -> Cell:
    low, high = (to_number(row[f"roc_auc_difference_{end}"]) for end in ("low", "high"))
    notes = () if low is None or high is None else (f"{low:.3f} to {high:.3f}",)
    return number(to_number(row["roc_auc_difference"]), notes=notes)


def _reached(chosen: Row | None, measured: Measured) -> Cell:
    if chosen is None:
        return Cell(NONE)
    found = _metric(chosen, "roc_auc", measured)
    notes = ("on validation",) if measured.partition == "val" else ()
    return Cell(found.text, found.value, notes + found.notes)


def cells(row: Row, metrics: Sequence[str], measured: Measured) -> list[Cell]:
    """Metrics of an arm, each with its interval and deviations."""
    return [_metric(row, metric, measured) for metric in metrics]


def _metric(row: Row, metric: str, measured: Measured) -> Cell:
    notes = []
    low, high = to_number(row[f"{metric}_low"]), to_number(row[f"{metric}_high"])
    if low is not None and high is not None:
        notes.append("the same for any cases" if low == high else f"{low:.3f} to {high:.3f}")
    for kind in ("seeds", "folds"):
        deviation = to_number(row[f"{metric}_sd_{kind}"])
        if deviation or (deviation == 0 and row["arm"] != ZERO_RATE):
            notes.append(f"± {deviation:.3f} over {kind}")
    notes += filter(None, [classes_counted(measured.pages(row["arm"]), metric)])
    return number(to_number(row[metric]), notes=notes)


def _published(rows: Sequence[Row], data: str) -> Table | None:
    told = [row for row in rows if row["published_value"]]
    if not told:
        return None
    columns = ("arm", "metric", "part", "published", "on", "ours", "on our data", "source")
    body = []
    for row in told:
        deviation = to_number(row["published_sd"])
        notes = () if deviation is None else (f"± {deviation:.3f}",)
        body.append(
            (
                Cell(row["arm"], notes=tuple(filter(None, [row["published_note"]]))),
                Cell(METRICS.get(row["published_metric"], row["published_metric"])),
                Cell(PARTS.get(row["published_split"], row["published_split"])),
                number(to_number(row["published_value"]), 4, notes),
                Cell(row["published_data"]),
                number(to_number(row["ours_value"]), 4),
                Cell((data or row["data"]) if row["data"] else "not run"),
                Cell(row["published_source"], link=row.get("published_link", "")),
            )
        )
    return Table("Published values, measured on other data, and ours", columns, tuple(body))


def to_number(text: str) -> float | None:
    """The number in a cell of a CSV, if there is one."""
    return float(text) if text else None


def _count(text: str) -> Cell:
    value = to_number(text)
    return Cell(NONE) if value is None else count(int(value))
