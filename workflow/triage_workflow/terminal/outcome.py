"""How a run came out: each study's main numbers, where the report is, what to do next."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

REPORT = Path("results/report.html")
_HEAD = ("study", "chosen arm", "ROC AUC (95 %)", "what it decides")
_MARK = "*"
_NOTE = f"{_MARK} not shown to decide better than always saying one class"
# At the threshold; between several classes there is none, but a balanced accuracy.
_DECIDED = {"sensitivity": "recall", "specificity": "specificity"}
_BETWEEN = {"balanced accuracy": "balanced_accuracy"}


def numbers(studies: Iterable[str]) -> Iterator[str]:
    """A table, a line a study, of those whose results are there."""
    rows = [_HEAD, *filter(None, map(_row, studies))]
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    if any(row[1].endswith(_MARK) for row in rows):
        yield _NOTE


def _row(study: str) -> tuple[str, ...] | None:
    try:
        with open(f"results/{study}/table.csv", newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError:
        return None
    row = next((each for each in rows if each.get("winner") == "1"), None)
    if row is None:
        return study, "none could be chosen", "", ""
    auc, low, high = (_rounded(row, f"roc_auc{part}") for part in ("", "_low", "_high"))
    limits = f" ({low} to {high})" if low and high else ""
    decided = _DECIDED if row.get("specificity") else _BETWEEN
    gain = row.get("accuracy_gain_low", "")
    return (
        study,
        row["arm"] + _MARK * (bool(gain) and float(gain) <= 0),
        f"{auc}{limits}",
        ", ".join(f"{words} {_rounded(row, column)}" for words, column in decided.items()),
    )


def _rounded(row: Mapping[str, str], column: str) -> str:
    text = row.get(column, "")
    return f"{float(text):.3f}" if text else ""


def next_steps(has_generated_data: bool) -> Iterator[str]:
    """Where the report is, and what people do then."""
    yield f"Report: {REPORT} (open it in a browser; docs/report.md says how to read it)"
    if has_generated_data:
        yield "Next: your own data, docs/your-data.md; generated data say nothing of people."
    else:
        yield "Next: commit params.yaml and the locks, then dvc push (README, Compare and share)."
