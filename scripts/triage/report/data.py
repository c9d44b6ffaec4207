"""What the page says of a study's data: cases by class and partition, and those left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.data.withdrawn import read as read_withdrawn
from triage.files import read_rows
from triage.pseudonyms import shown
from triage.report.tables import Cell, Table, count, of_rows

PARTITIONS = ("train", "val", "test", "unlabelled", "excluded")
SHOWN = 200  # rows of a long list


@dataclass(frozen=True)
class Data:
    """The cases of a study in numbers; ``quarantine`` and ``withdrawal`` list those left out,
    ``consent`` the checkpoints that had seen withdrawn ones."""

    cases: int
    groups: int
    tested: int
    counts: Table
    quarantined: int
    quarantine: Table
    withdrawn: int
    withdrawal: Table
    consent: Table


def read_data(
    manifest: Path,
    split: Path,
    quarantine: Path,
    withdrawn: Path,
    consent: Path,
    classes: Sequence[str],
    pseudonyms: bool,
) -> Data:
    """The data of a study, from its files; ``pseudonyms``: without any name of a case."""
    cases = {row["case"] for row in read_rows(manifest)}
    rows = [row for row in read_rows(split) if row["case"] in cases]
    bad, gone = read_rows(quarantine), read_withdrawn(withdrawn)
    return Data(
        cases=len(rows),
        groups=len({row["group"] for row in rows}),
        tested=sum(row["partition"] == "test" for row in rows),
        counts=_counts(rows, classes),
        quarantined=len(bad),
        quarantine=_list(
            "Quarantined files", ("file", "case", "reason"), bad, quarantine, pseudonyms
        ),
        withdrawn=len(gone),
        withdrawal=_list(
            "Withdrawn cases", ("case", "date", "reason"), gone, withdrawn, pseudonyms
        ),
        consent=_list(
            "Checkpoints that had seen withdrawn cases",
            ("case", "partition", "checkpoint", "md5", "commit"),
            read_rows(consent),
            consent,
            pseudonyms,
        ),
    )


def _counts(rows: Sequence[dict[str, str]], classes: Sequence[str]) -> Table:
    parts = [part for part in PARTITIONS if any(row["partition"] == part for row in rows)]
    sizes = Counter(
        (label or "unlabelled", row["partition"])
        for row in rows
        for label in row["label"].split("|")
    )
    present = [name for name in (*classes, "unlabelled") if any(sizes[name, p] for p in parts)]
    body = [_count_row(name, [sizes[name, part] for part in parts]) for name in present]
    cases = Counter(row["partition"] for row in rows)
    body.append(_count_row("all cases", [cases[part] for part in parts], len(rows)))
    groups = {part: {row["group"] for row in rows if row["partition"] == part} for part in parts}
    total = len(set().union(*groups.values()))
    body.append(_count_row("groups", [len(groups[part]) for part in parts], total))
    marked = frozenset({len(body) - 2})
    return Table("Cases by class and partition", ("class", *parts, "all"), tuple(body), marked)


def _count_row(name: str, sizes: Sequence[int], total: int | None = None) -> tuple[Cell, ...]:
    return (Cell(name), *map(count, sizes), count(sum(sizes) if total is None else total))


def _list(
    title: str,
    columns: tuple[str, ...],
    rows: list[dict[str, str]],
    source: Path,
    pseudonyms: bool,
) -> Table:
    notes = [f"{len(rows) - SHOWN} more in {source.as_posix()}"] * (len(rows) > SHOWN)
    if pseudonyms:
        # Reasons are free text, in which anyone may be named; a file is called by its case.
        notes += [f"Reasons in {source.as_posix()}"] * ("reason" in columns)
        columns = tuple(name for name in columns if name not in ("reason", "file"))
        rows = [row | {"case": shown(row["case"] or row.get("file", ""), True)} for row in rows]
    table = of_rows(title, columns, rows[:SHOWN])
    return Table(table.title, table.columns, table.rows, note="; ".join(notes))
