"""The manifest of a study: the cases that can be used, once every image was decoded.

It joins what the index and the shards found: problems of both are the quarantine. Every file that
was seen is counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from triage.command import log
from triage.data import attributes, inventory
from triage.data import counts as counting
from triage.data.readers import IndexSettings, Problem
from triage.errors import UserError
from triage.files import read_rows, write_rows
from triage.task import Task, classes_of

COLUMNS = [
    "case",
    "group",
    "label",
    "votes",
    "partition",
    "files",
    "size",
    "sha256",
    attributes.COLUMN,
]
SHARD_COLUMNS = ["case", "files", "sha256"]
PROBLEM_COLUMNS = ["file", "case", "reason"]
_SHOWN = 5


def make(
    cases: Path,
    problems: Sequence[Path],
    listing: Path,
    settings: IndexSettings,
    raw: Path,
    manifest: Path,
    quarantine: Path,
    counts: Path,
    withdrawn: Iterable[str] = (),
) -> None:
    """Write the tables: ``cases`` without those that one of ``problems`` names, these problems, and
    what became of the files in the inventory ``listing``. Those of ``withdrawn`` cases are named
    nowhere.

    Raises UserError where more than ``settings.max_quarantined`` of the cases are bad, or a class
    has no case that can be used.
    """
    found = [Problem(**row) for path in problems for row in read_rows(path)]
    found.sort(key=lambda problem: (problem.file, problem.case))
    bad = {problem.case for problem in found if problem.case}
    rows = read_rows(cases)
    usable = [row for row in rows if row["case"] not in bad]
    total = len(usable) + len(bad)
    log.info("%d case(s) found, %d of them in quarantine", total, len(bad))
    for problem in found:
        log.info("quarantine: %s: %s", problem.file, problem.reason)
    _check_share(found, total, settings, raw)
    check_classes({row["case"]: row["label"] for row in usable}, settings, raw)
    write_rows(map(Problem.row, found), PROBLEM_COLUMNS, quarantine)
    write_rows(usable, COLUMNS, manifest)
    seen = [entry.path for entry in inventory.read(listing)]
    others = [row for row in rows if row["case"] in bad]
    bad_files = [each.file for each in found]
    counted = counting.count(seen, _files(usable), _files(others), bad_files, withdrawn)
    counting.tell(counted)
    write_rows((each.row() for each in counted), counting.COLUMNS, counts)


def _files(rows: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """The files and folders of each case."""
    return {row["case"]: list(json.loads(row["files"]).values()) for row in rows}


def check_classes(label_of: Mapping[str, str], settings: IndexSettings, raw: Path) -> None:
    """Raise UserError where a case's label is no class or several, or a class has no case."""
    counts: Counter[str] = Counter()
    for label, number in Counter(label_of.values()).items():
        if not settings.task.allows(label):
            case = next(case for case, own in label_of.items() if own == label)
            raise UserError(
                f"case {case} has several classes: {label}",
                where=raw,
                remedy="set task: multilabel, or give it one",
            )
        counts.update(dict.fromkeys(classes_of(label), number))
    if unknown := sorted(counts.keys() - set(settings.classes)):
        raise UserError(
            f"unknown label(s) {some(unknown)}",
            where=raw,
            remedy=f"classes are {', '.join(settings.classes)}",
        )
    log.info("cases: %s", ", ".join(f"{name} {counts[name]}" for name in settings.classes))
    if empty := [name for name in settings.classes if not counts[name]]:
        # Rare findings may well be absent.
        if settings.task is Task.MULTILABEL or settings.external:
            log.warning("warning: no case of %s", ", ".join(empty))
            return
        raise UserError(
            f"no usable case of {some(empty)}",
            where=raw,
            remedy="every class needs cases: see the quarantine above, or correct classes",
        )


def split_cases(manifest: Path, split: Path) -> Iterator[dict[str, str]]:
    """What is shown and counted of the cases that are split, each with its partition."""
    rows = read_rows(split, columns=("case", "partition"))
    partition = {row["case"]: row["partition"] for row in rows}
    for row in read_rows(manifest, columns=("case", "group", "label", "votes", attributes.COLUMN)):
        if row["case"] in partition:
            yield row | {"partition": partition[row["case"]]}


def some(names: Sequence[str]) -> str:
    """The first of ``names`` and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _check_share(
    problems: Sequence[Problem], found: int, settings: IndexSettings, raw: Path
) -> None:
    bad = len({problem.case for problem in problems if problem.case})
    if bad > settings.max_quarantined * found:
        reasons = [f"{problem.file}: {problem.reason}" for problem in problems if problem.case]
        more = f"\n  and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
        raise UserError(
            f"{bad} of {found} cases can't be used, more than max_quarantined ="
            f" {settings.max_quarantined:g} allows:"
            + "".join(f"\n  {reason}" for reason in reasons[:_SHOWN])
            + more,
            where=raw,
            remedy="mend or remove these files, or raise index.max_quarantined",
        )
