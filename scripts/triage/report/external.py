"""External validation: what a study's networks reach on cases from elsewhere, and their images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.data.withdrawn import NEAR_WITHDRAWN
from triage.files import read_json, read_rows
from triage.pseudonyms import shown
from triage.report.estimates import in_words
from triage.report.glance import Fact
from triage.report.leakage import SHOWN
from triage.report.results import METRICS, PARTS, Measured, Row, arms_table, is_chosen, to_number
from triage.report.sections import Section
from triage.report.tables import Cell, Table
from triage.report.words import listed

TITLE = "External validation"
CHOSEN = "Nothing was chosen on them: networks, thresholds and temperatures are the study's."

Json = Mapping[str, Any]
Pages = Mapping[str, Json]


@dataclass(frozen=True)
class External:
    """An external set: its name, how many cases it has (a row of sets.csv), and its shift."""

    name: str
    counts: Row
    shift: Json

    @property
    def sentence(self) -> str:
        """What was tested on."""
        counts = self.counts
        unlabelled = int(counts["cases"]) - int(counts["labelled"])
        parts = [f"{counts['cases']} cases"]
        parts += [f"{unlabelled} of them unlabelled"] * bool(unlabelled)
        for left, why in (
            ("seen", "which training or validation has seen"),
            ("withdrawn", NEAR_WITHDRAWN),
        ):
            if int(counts[left]):
                parts.append(f"{counts[left]} more left out, {why}")
        looked = self.shift["external"]["cases"]
        reasons = listed(list(self.shift["reasons"])[:3])
        what = f": by {reasons}" if reasons else ""
        return (
            f"{self.name}: {', '.join(parts)}. {counts['unlike']} of {looked} images are out of "
            f"the range of the training images{what}."
        )


def read_externals(sets: Sequence[Path], shifts: Sequence[Path]) -> list[External]:
    """The external sets of a study, from the one list of them, if it has any."""
    by_name = {path.parent.name: path for path in shifts}
    rows = [row for path in sets for row in read_rows(path)]
    return [External(row["set"], row, read_json(by_name[row["set"]])) for row in rows]


def fact(externals: Sequence[External]) -> str:
    """External validation in words."""
    if not externals:
        return "Not done: the settings name no external set."
    return " ".join([*(each.sentence for each in externals), CHOSEN])


def sections(
    externals: Sequence[External], pages: Pages, part: str, page: Json, classes: int
) -> list[Section]:
    """Of a card: the metrics of its run on each set, by ``pages``, beside those on its ``part``.

    ``page`` are the metrics on the part, of a study with so many ``classes``.
    """
    if not externals:
        return []
    found = [page, *(pages[each.name] for each in externals)]
    values = [each.get("metrics", {}) for each in found]
    body = tuple(
        (words, *(in_words(each[name], classes) if name in each else "" for each in values))
        for name, words in METRICS.items()
        if any(name in each for each in values)
    )
    names = [each.name for each in externals]
    told = (*(each.sentence for each in externals), CHOSEN)
    return [
        Section(TITLE, told, ("metric", f"{PARTS[part]} part", *names), body),
        Section(f"{TITLE}: images", (), ("images", "training part", *names), _shifts(externals)),
    ]


def _shifts(externals: Sequence[External]) -> tuple[tuple[str, ...], ...]:
    looks = [externals[0].shift["training"], *(each.shift["external"] for each in externals)]
    count = len(looks[0]["channels"])
    body = []
    for channel in range(count):
        own = [each["channels"][channel] for each in looks]
        of = f"channel {channel + 1}: " if count > 1 else ""
        for name in ("mean", "std"):
            body.append((of + name, *(f"{each[name]:.4g}" for each in own)))
        for share in own[0]["quantiles"]:
            cells = (f"{each['quantiles'][share]:.4g}" for each in own)
            body.append((f"{of}quantile {share}", *cells))
    for name in looks[0]["sizes"]:
        cells = (" / ".join(f"{size:g}" for size in each["sizes"][name]) for each in looks)
        body.append((f"{name} as stored: smallest / median / largest", *cells))
    return tuple(body)


@dataclass(frozen=True)
class Elsewhere:
    """The part of a study's page: tables of results and images, and what was left out and why."""

    words: tuple[str, ...]
    tables: tuple[Table, ...]
    left_out: tuple[Table, ...]
    facts: tuple[Fact, ...]


def elsewhere(
    externals: Sequence[External],
    rows: Sequence[Row],
    measured: Measured,
    groups: Sequence[Path],
    manifests: Sequence[Path],
    pseudonyms: bool,
) -> Elsewhere:
    """From the ``rows`` of external.csv, and the groups and manifests of the sets."""
    tables, facts = [], []
    for each in externals:
        own = [row for row in rows if row["partition"] == each.name]
        title = f"Arms, on the external set {each.name}"
        tables.append(arms_table(own, Measured(measured.runs, each.name), title))
        facts += [_fact(each, row) for row in own if is_chosen(row)]
    names = [each.name for each in externals]
    if externals:
        body = [tuple(map(Cell, row)) for row in _shifts(externals)]
        tables.append(Table("Images", ("images", "training part", *names), tuple(body)))
    by_name = {path.parent.name: path for path in manifests}
    left = [_left_out(path, by_name[path.parent.name], pseudonyms) for path in groups]
    words = (*(each.sentence for each in externals), CHOSEN) if externals else ()
    return Elsewhere(
        words, tuple(tables), tuple(table for table in left if table.rows), tuple(facts)
    )


def _fact(external: External, row: Row) -> Fact:
    value, low, high = (to_number(row[f"roc_auc{end}"]) for end in ("", "_low", "_high"))
    question = f"Does it hold at {external.name}?"
    if value is None or low is None or high is None:
        return Fact(question, "Unknown: no ROC AUC can be measured there.", "not measured")
    unlike, looked = int(external.counts["unlike"]), external.shift["external"]["cases"]
    words = (
        f"ROC AUC {value:.3f} ({low:.3f} to {high:.3f}) on {row['cases']} cases from elsewhere; "
        f"{unlike} of {looked} images are out of the training images' range."
    )
    return Fact(question, words, f"images of {external.name} are unlike" * (2 * unlike > looked))


def _left_out(groups: Path, manifest: Path, pseudonyms: bool) -> Table:
    """What training or validation has seen of a set: each case with its file, reason and twin."""
    out = [row for row in read_rows(groups) if row["part"] == "excluded"]
    name, files = groups.parent.name, {row["case"]: row["files"] for row in read_rows(manifest)}
    columns = ("case", *([] if pseudonyms else ["files"]), "reason", "twin in the study")
    body = tuple(
        (
            Cell(shown(row["case"], pseudonyms)),
            *([] if pseudonyms else [Cell(", ".join(json.loads(files[row["case"]]).values()))]),
            Cell(row["reason"]),
            Cell(shown(row["twin"], pseudonyms)),
        )
        for row in out[:SHOWN]
    )
    more = len(out) - SHOWN
    note = f"{more} more in {groups.as_posix()}" if more > 0 else ""
    return Table(f"Left out of {name}", columns, body, note=note)
