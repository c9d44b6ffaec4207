"""What the page says of single runs: how they ended, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.durations import duration
from triage.files import read_json
from triage.report.results import PARTS
from triage.report.tables import NONE, Cell, Table, count, number
from triage.runs import ALL, Place, places

SHOWN = {"roc_auc": "ROC AUC", "accuracy": "accuracy"}


@dataclass(frozen=True)
class Block:
    """A part of a run's record: names and values."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Run:
    """One run with its metrics by partition and the parts of its record."""

    arm: str
    fold: Place
    seed: Place
    values: Mapping[tuple[str, str], float | None]
    seconds: float | None
    device: str | None
    blocks: tuple[Block, ...]
    left_out: str

    @property
    def named_fold(self) -> Cell:
        """The fold, with what it tests on where that is the value of an attribute."""
        notes = (f"left out: {self.left_out}",) if self.left_out else ()
        return Cell(str(self.fold), -1 if self.fold == ALL else self.fold, notes)


def read_runs(metrics: Sequence[Path], records: Sequence[Path]) -> tuple[Run, ...]:
    """The runs of a study; one without a record (an ensemble) was not trained."""
    record_of = {(path.parent.parent.name, path.parent.name): path for path in records}
    return tuple(_run(path, record_of.get((path.parent.name, path.stem))) for path in metrics)


def _run(path: Path, record_path: Path | None) -> Run:
    metrics: dict[str, Any] = read_json(path)
    record: dict[str, Any] = read_json(record_path) if record_path else {}
    fold, seed = places(path.stem) or (ALL, ALL)
    values = {}
    for part in PARTS:
        page = (metrics["partitions"].get(part) or {}).get("metrics", {})
        for name in SHOWN:
            values[part, name] = page.get(name, {}).get("value")
    return Run(
        path.parent.name,
        fold,
        seed,
        values,
        record.get("seconds"),
        record.get("device"),
        tuple(_blocks(record)) if record else (),
        metrics.get("left_out", ""),
    )


def _blocks(record: Mapping[str, Any]) -> list[Block]:
    """The record in parts: single values first, then each of its mappings."""
    single = {name: value for name, value in record.items() if not isinstance(value, dict)}
    parts = {"run": single} | {name: value for name, value in record.items() if name not in single}
    return [Block(name.replace("_", " "), tuple(_rows(value))) for name, value in parts.items()]


def _rows(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of a mapping and of those in it, whose names follow theirs after a dot."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _rows(value, f"{above}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield above + name, NONE if value is None else text


def runs_table(runs: Sequence[Run]) -> Table:
    """A row a run, with what is worth comparing."""
    titles = [f"{SHOWN[name]}, {PARTS[part]}" for part in PARTS for name in SHOWN]
    rows = []
    for run in runs:
        values = [number(run.values[part, name]) for part in PARTS for name in SHOWN]
        rows.append(
            (
                Cell(run.arm),
                run.named_fold,
                Cell(ALL, -1) if run.seed == ALL else count(run.seed),
                *values,
                Cell(NONE) if run.seconds is None else Cell(duration(run.seconds, 1), run.seconds),
                Cell(run.device or NONE),
            )
        )
    columns = ("arm", "fold", "seed", *titles, "time", "device")
    return Table("Single runs", columns, tuple(rows))
