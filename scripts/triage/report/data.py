"""What the page says of a study's data: cases by class and partition, and those left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.data.withdrawn import read as read_withdrawn
from triage.files import read_rows
from triage.pseudonyms import shown
from triage.report.leakage import SHOWN, Leakage, read_leakage
from triage.report.tables import Cell, Table, count, of_rows

MANIFEST, SPLIT = ("case", "group", "sha256"), ("case", "group", "label", "partition")
PARTITIONS = ("train", "val", "test", "unlabelled", "excluded")


@dataclass(frozen=True)
class Data:
    """The cases of a study in numbers, ``parts`` by partition but for those ``excluded``.

    ``seen`` says what became of each raw file. ``quarantine`` and ``withdrawal`` list what is left
    out, ``consent`` the checkpoints that had seen withdrawn cases.
    """

    cases: int
    groups: int
    tested: int
    parts: dict[str, int]
    excluded: int
    counts: Table
    seen: Table
    leakage: Leakage
    quarantined: int
    quarantine: Table
    withdrawn: int
    withdrawal: Table
    consent: Table


def read_data(
    manifest: Path,
    groups: Path,
    split: Path,
    quarantine: Path,
    seen: Path,
    withdrawn: Path,
    consent: Path,
    classes: Sequence[str],
    pseudonyms: bool,
) -> Data:
    """The data of a study, from its files; ``pseudonyms``: without any name of a case."""
    known = {row["case"]: row for row in read_rows(manifest, columns=MANIFEST)}
    rows = [row for row in read_rows(split, columns=SPLIT) if row["case"] in known]
    parts = Counter(row["partition"] for row in rows)
    bad, gone = read_rows(quarantine), read_withdrawn(withdrawn)
    return Data(
        cases=len(rows),
        groups=len({row["group"] for row in rows}),
        tested=parts["test"],
        parts={part: parts[part] for part in PARTITIONS if parts[part] and part != "excluded"},
        excluded=parts["excluded"],
        counts=counts(rows, classes),
        seen=_seen(seen, pseudonyms),
        leakage=read_leakage(
            groups, known, {row["case"]: row["partition"] for row in rows}, pseudonyms
        ),
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


def _seen(counts: Path, pseudonyms: bool) -> Table:
    """What became of the raw files, by kind."""
    rows = read_rows(counts)
    sums = Counter[str]()
    for row in rows:
        sums[row["use"]] += int(row["files"])
    body = [
        (
            Cell(row["use"]),
            Cell(row["kind"]),
            count(int(row["files"])),
            Cell("" if pseudonyms else row["example"]),
        )
        for row in rows
    ]
    parts = ", ".join(f"{number} {use}" for use, number in sums.items())
    columns = ("use", "kind", "files", "such as")
    return Table(f"{sums.total()} files seen: {parts}", columns, tuple(body))


def counts(rows: Sequence[Mapping[str, str]], classes: Sequence[str]) -> Table:
    """How many cases, and groups, there are by class and partition."""
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
