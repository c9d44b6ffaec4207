"""The index of a study: which cases there are, and which raw files are bad.

Every file is decoded once, so that a bad one is found before the first hour of training.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from triage.command import log
from triage.data import attributes, inventory, readers, workers
from triage.data.readers import BadFile, Case, IndexSettings, Problem
from triage.data.withdrawn import cases as read_withdrawn
from triage.errors import UserError
from triage.files import write_rows
from triage.task import Task, classes_of

MANIFEST_COLUMNS = [
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
QUARANTINE_COLUMNS = ["file", "case", "reason"]
_STRANGE_NAME = "has control characters in its name"
_SHOWN = 5


@dataclass(frozen=True)
class Index:
    """The usable cases, sorted, with what is in them; and what is not used, with its reason."""

    cases: list[Case]
    contents: _Contents
    problems: list[Problem]

    def rows(self) -> Iterator[dict[str, object]]:
        """Of the manifest."""
        return (_row(case, self.contents) for case in self.cases)

    def write(self, manifest: Path, quarantine: Path) -> None:
        """Write both tables."""
        rows = [
            {"file": problem.file, "case": problem.case, "reason": problem.reason}
            for problem in self.problems
        ]
        write_rows(rows, QUARANTINE_COLUMNS, quarantine)
        write_rows(self.rows(), MANIFEST_COLUMNS, manifest)


def make(
    raw: Path, listing: Path, withdrawn: Path | None, settings: IndexSettings, processes: int
) -> Index:
    """The index of the raw files in the inventory ``listing``, decoded in that many processes.

    ``withdrawn``: a table of the cases to leave out. Raises UserError where labels can't be
    trusted, more than ``settings.max_quarantined`` of the cases are bad, or a class has no case.
    """
    entries = inventory.read(listing)
    cases, problems = _find(raw, entries, settings)
    gone = read_withdrawn(withdrawn) if withdrawn else set()
    cases, problems = _leave_out(gone, cases, problems)
    found = len(cases) + len({problem.case for problem in problems if problem.case})
    contents = _Contents(entries, _beside(raw, cases, settings))
    checks = (_readable, _different_files, _unique_files)
    for check in checks:
        cases, bad = _without(cases, check(cases, contents))
        problems += bad
    cases, bad = _without(cases, _decode(raw, cases, settings, processes))
    problems = sorted([*problems, *bad], key=lambda problem: (problem.file, problem.case))
    _report(problems, found)
    _check_share(problems, found, settings, raw)
    _check_classes(cases, settings, raw)
    return Index(sorted(cases, key=lambda case: case.case), contents, problems)


# --- finding


def _find(
    raw: Path, entries: Sequence[inventory.Entry], settings: IndexSettings
) -> tuple[list[Case], list[Problem]]:
    cases, problems = readers.reader(settings.reader).find(
        raw, [entry.path for entry in entries], settings
    )
    doubled = [case for case, count in Counter(case.case for case in cases).items() if count > 1]
    if doubled:
        raise UserError(
            f"{len(doubled)} case(s) more than once: {_some(sorted(doubled))}",
            where=raw,
            remedy="give every case a name of its own",
        )
    readers.Grouping(settings.group).check([case.case for case in cases])
    strange = [case for case in cases if inventory.plain(case.case) != case.case]
    cases = [case for case in cases if inventory.plain(case.case) == case.case]
    problems += [
        Problem(next(iter(case.files.values())), inventory.plain(case.case), _STRANGE_NAME)
        for case in strange
    ]
    used = {file for case in [*cases, *strange] for file in case.files.values()}
    reported = {problem.file for problem in problems}
    problems += [
        Problem(entry.path, "", inventory.WHY_UNREADABLE)
        for entry in entries
        if not entry.sha256 and entry.path not in used | reported and not _inside(entry.path, used)
    ]
    return cases, problems


def _inside(path: str, folders: set[str]) -> bool:
    return path.rpartition("/")[0] in folders


def _leave_out(
    withdrawn: set[str], cases: list[Case], problems: list[Problem]
) -> tuple[list[Case], list[Problem]]:
    known = {case.case for case in cases} | {problem.case for problem in problems}
    for case in sorted(withdrawn - known):
        log.warning("warning: withdrawn case %s is not among the raw data", case)
    if withdrawn & known:
        log.info("withdrawn and left out: %d case(s)", len(withdrawn & known))
    return (
        [case for case in cases if case.case not in withdrawn],
        [problem for problem in problems if problem.case not in withdrawn],
    )


def _without(cases: list[Case], problems: Iterable[Problem]) -> tuple[list[Case], list[Problem]]:
    """The cases without those that have a problem, and these problems."""
    problems = list(problems)
    bad = {problem.case for problem in problems}
    return [case for case in cases if case.case not in bad], problems


# --- contents, by checksum


class _Content(NamedTuple):
    size: int
    sha256: str


class _Contents:
    """Size and checksum of the files and folders that cases are made of.

    ``beside``: of files whose contents lie in others too, these.
    """

    def __init__(
        self, entries: Iterable[inventory.Entry], beside: Mapping[str, Sequence[str]]
    ) -> None:
        self._beside = beside
        self._entries = sorted(entries, key=lambda entry: entry.path)
        self._paths = [entry.path for entry in self._entries]

    def parts(self, file: str) -> list[inventory.Entry]:
        """The raw files behind ``file``: itself, what is in it, and what its header names."""
        parts = [*self._at(file), *self._below(file + "/")]
        for other in self._beside.get(file, ()):
            parts += self._at(other)
        return parts

    def _at(self, path: str) -> list[inventory.Entry]:
        start = bisect_left(self._paths, path)
        found = self._paths[start : start + 1] == [path]
        return [self._entries[start]] if found else []

    def _below(self, prefix: str) -> Iterator[inventory.Entry]:
        for i in range(bisect_left(self._paths, prefix), len(self._paths)):
            if not self._paths[i].startswith(prefix):
                return
            yield self._entries[i]

    def of(self, files: Iterable[str]) -> _Content:
        """Of all ``files`` together; of a single raw file, its own."""
        parts = [part for file in files for part in self.parts(file)]
        size = sum(part.size for part in parts)
        if len(parts) == 1:
            return _Content(size, parts[0].sha256)
        text = "\n".join(part.sha256 for part in parts)
        return _Content(size, hashlib.sha256(text.encode()).hexdigest())


def _beside(raw: Path, cases: Iterable[Case], settings: IndexSettings) -> dict[str, list[str]]:
    reader = readers.reader(settings.reader)
    files = (file for case in cases for file in case.files.values())
    return {file: others for file in files if (others := reader.beside(raw, file))}


def _readable(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    for case in cases:
        for file in case.files.values():
            bad = [part.path for part in contents.parts(file) if not part.sha256]
            if bad or not contents.parts(file):
                yield Problem(bad[0] if bad else file, case.case, inventory.WHY_UNREADABLE)
                break


def _different_files(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    """Cases in which one file is a copy of another."""
    for case in cases:
        sums = {role: contents.of([file]).sha256 for role, file in case.files.items()}
        for one, other in combinations(sums, 2):
            if sums[one] == sums[other]:
                yield Problem(case.files[other], case.case, f"is a copy of {case.files[one]}")
                break


def _unique_files(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    """Cases that share a file with a case of another label, or some but not all of their files.

    Whole copies of one label are no problem here: the split keeps them together.
    """
    files = [(case, file) for case in cases for file in case.files.values()]
    found = [(contents.of([file]).sha256, case, file) for case, file in files]
    often = Counter(content for content, _, _ in found)
    holders: dict[str, list[tuple[Case, str]]] = defaultdict(list)
    for content, case, file in found:
        if often[content] > 1:
            holders[content].append((case, file))
    for shared in holders.values():
        kinds: dict[tuple[str, str], str] = {}  # a file of each kind of case, to name it
        for case, file in shared:
            kinds.setdefault((case.label, contents.of(case.files.values()).sha256), file)
        for case, file in shared if len(kinds) > 1 else ():
            reason = _clash(case.label, contents.of(case.files.values()).sha256, kinds)
            if reason:
                yield Problem(file, case.case, reason)


def _clash(label: str, content: str, kinds: dict[tuple[str, str], str]) -> str:
    for (other_label, other_content), file in kinds.items():
        if label and other_label and label != other_label:
            return f"is the same as {file}, which is {other_label} and not {label}"
        if content != other_content:
            return f"is the same as {file} of another case, whose other files differ"
    return ""


# --- decoding


class _Task(NamedTuple):
    raw: Path
    reader: str
    case: Case
    min_slices: int


def _decode(
    raw: Path, cases: Sequence[Case], settings: IndexSettings, processes: int
) -> Iterator[Problem]:
    tasks = (_Task(raw, settings.reader, case, settings.min_slices) for case in cases)
    found = workers.imap(_check, tasks, processes, _crashed)
    return (problem for problem in found if problem is not None)


def _check(task: _Task) -> Problem | None:
    """What is wrong with a case's files."""
    case = task.case
    first = next(iter(case.files.values()))
    try:
        image = readers.reader(task.reader).load(task.raw, case.files)
    except BadFile as error:
        return Problem(error.file, case.case, error.reason)
    except Exception as error:  # whatever a damaged file makes a decoder do
        return Problem(first, case.case, f"can't be decoded ({type(error).__name__})")
    if len(image) < task.min_slices:
        reason = f"has {len(image)} slice(s), fewer than min_slices = {task.min_slices}"
        return Problem(first, case.case, reason)
    return None


def _crashed(task: _Task) -> Problem:
    file = next(iter(task.case.files.values()))
    return Problem(file, task.case.case, "can't be decoded: the decoder crashed on it")


# --- verdict


def _report(problems: Sequence[Problem], found: int) -> None:
    bad = len({problem.case for problem in problems if problem.case})
    log.info("%d case(s) found, %d of them in quarantine", found, bad)
    for problem in problems:
        log.info("quarantine: %s: %s", problem.file, problem.reason)


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


def _check_classes(cases: Sequence[Case], settings: IndexSettings, raw: Path) -> None:
    for case in cases:
        if not settings.task.allows(case.label):
            raise UserError(
                f"case {case.case} has several classes: {case.label}",
                where=raw,
                remedy="set task: multilabel, or give it one",
            )
    counts = Counter(name for case in cases for name in classes_of(case.label))
    if unknown := sorted(counts.keys() - set(settings.classes)):
        raise UserError(
            f"unknown label(s) {_some(unknown)}",
            where=raw,
            remedy=f"classes are {', '.join(settings.classes)}",
        )
    log.info("cases: %s", ", ".join(f"{name} {counts[name]}" for name in settings.classes))
    if empty := [name for name in settings.classes if not counts[name]]:
        if settings.task is Task.MULTILABEL:  # rare findings may well be absent
            log.warning("warning: no case of %s", ", ".join(empty))
            return
        raise UserError(
            f"no usable case of {_some(empty)}",
            where=raw,
            remedy="every class needs cases: see the quarantine above, or correct classes",
        )


def _row(case: Case, contents: _Contents) -> dict[str, object]:
    content = contents.of(case.files.values())
    return {
        "case": case.case,
        "group": case.group,
        "label": case.label,
        "votes": "" if case.votes is None else case.votes,
        "partition": case.partition,
        "files": json.dumps(dict(case.files), ensure_ascii=False),
        "size": content.size,
        "sha256": content.sha256,
        attributes.COLUMN: attributes.text(case.attributes),
    }


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
