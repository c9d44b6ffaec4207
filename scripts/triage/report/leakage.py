"""What is left out or kept together so that no part of a study gives another one away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.files import each_row, read_rows
from triage.pseudonyms import shown
from triage.report.tables import Cell, Table, count
from triage.report.words import listed

COLUMNS = ("case", "group", "part", "images", "reason", "twin")
SHOWN = 200  # rows of a long list
FEW = 4  # names in a cell

Row = Mapping[str, str]


@dataclass(frozen=True)
class Leakage:
    """The cases that are excluded, by ``reasons`` and each with its twin in another part, and the
    ``sets`` of the source's groups that are ``joined`` since they show the same pictures.
    """

    reasons: Table
    excluded: Table
    sets: int
    joined: Table


def read_reasons(groups: Path) -> Counter[str]:
    """How many cases are excluded, by reason."""
    return Counter(row["reason"] for row in each_row(groups) if row["part"] == "excluded")


def in_words(reasons: Mapping[str, int]) -> str:
    """The same as a sentence; empty where no case is excluded."""
    if not reasons:
        return ""
    parts = listed([f"{reason} ({number})" for reason, number in sorted(reasons.items())])
    return f"Excluded cases, each with its reason and its twin in groups.csv: {parts}."


def read_leakage(
    groups: Path, known: Mapping[str, Row], partition_of: Mapping[str, str], pseudonyms: bool
) -> Leakage:
    """From the table of ``groups``.

    ``known``: the rows of the manifest by case; ``partition_of``: where the split has each case.
    """
    rows = [row for row in read_rows(groups, columns=COLUMNS) if row["case"] in known]
    reasons = Counter(row["reason"] for row in rows if row["part"] == "excluded")
    body = [(Cell(reason), count(number)) for reason, number in reasons.most_common()]
    joined = list(_joined(rows, known, partition_of, pseudonyms))
    return Leakage(
        Table("Excluded cases by reason", ("reason", "cases"), tuple(body)),
        _table(
            "Excluded cases",
            ("case", "reason", "twin", "part of the twin"),
            _excluded(rows, pseudonyms),
            groups,
        ),
        len(joined),
        _table(
            "Groups that are joined",
            ("cases", "number", "groups", "what they share", "what was done"),
            joined,
            groups,
        ),
    )


def _table(
    title: str, columns: tuple[str, ...], body: Sequence[tuple[Cell, ...]], source: Path
) -> Table:
    more = len(body) - SHOWN
    note = f"{more} more in {source.as_posix()}" if more > 0 else ""
    return Table(title, columns, tuple(body[:SHOWN]), note=note)


def _excluded(rows: Sequence[Row], pseudonyms: bool) -> list[tuple[Cell, ...]]:
    """A row for each excluded case, those with a twin first."""
    part_of = {row["case"]: row["part"] for row in rows}
    out = [row for row in rows if row["part"] == "excluded"]
    return [
        (
            Cell(shown(row["case"], pseudonyms)),
            Cell(row["reason"]),
            Cell(shown(row["twin"], pseudonyms)),
            Cell(part_of.get(row["twin"], "")),
        )
        for row in sorted(out, key=lambda row: (not row["twin"], row["case"]))
    ]


def _joined(
    rows: Sequence[Row],
    known: Mapping[str, Row],
    partition_of: Mapping[str, str],
    pseudonyms: bool,
) -> Iterator[tuple[Cell, ...]]:
    """A row for each group that is made of several of the source."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    for members in groups.values():
        sources = {known[row["case"]]["group"] for row in members}
        if len(sources) < 2:
            continue
        names = [shown(row["case"], pseudonyms) for row in members]
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        parts = sorted({partition_of[row["case"]] for row in members} - {"excluded"})
        out = sum(row["part"] == "excluded" for row in members)
        done = f"all in {listed(parts)}"
        if out:
            done = f"{out} excluded" + (f", the rest in {listed(parts)}" if parts else "")
        yield (
            Cell(", ".join(names[:FEW]) + more),
            count(len(names)),
            count(len(sources)),
            Cell(_shared([{**known[row["case"]], "images": row["images"]} for row in members])),
            Cell(done),
        )


def _shared(members: Sequence[Row]) -> str:
    """What all groups of the source among the members share."""
    sources = {row["group"] for row in members}
    for column, words in (("sha256", "the same files"), ("images", "the same pictures")):
        holders: dict[str, set[str]] = {}
        for row in members:
            holders.setdefault(row[column], set()).add(row["group"])
        if sources in holders.values():
            return words
    return "the same or nearly the same pictures"
