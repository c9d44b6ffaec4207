"""The index of a study: which cases there are, by names, tables and checksums alone.

Nothing is decoded here: what an image is like is found out where its shard is made.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import NamedTuple

from triage.command import log
from triage.data import attributes, inventory, readers
from triage.data import withdrawn as withdrawals
from triage.data.counts import is_beside
from triage.data.dealing import shard_of
from triage.data.manifest import COLUMNS, PROBLEM_COLUMNS, SHARD_COLUMNS, check_classes, some
from triage.data.readers import Case, IndexSettings, Problem
from triage.data.spelling import spelt
from triage.data.withdrawn import Withdrawn
from triage.errors import UserError
from triage.files import Line, write_lines, write_rows

_STRANGE_NAME = "has control characters in its name"


@dataclass(frozen=True)
class Index:
    """The cases, sorted, with what is in their files; and what is not used, with its reason.

    withdrawn: the files of each withdrawn case, by role, and all raw files behind them.
    """

    cases: list[Case]
    contents: _Contents
    problems: list[Problem]
    withdrawn: list[Withdrawn]

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a case."""
        return (dict(zip(COLUMNS, line, strict=True)) for line in self._lines([[]]))

    def _lines(self, dealt: Sequence[list[Line]]) -> Iterator[Line]:
        """The cells of each case in the order of COLUMNS; ``dealt`` gets those of each shard."""
        for case in self.cases:
            content, files = self.contents.of(case.files.values()), _mapping(case.files)
            own = (case.case, files, content.sha256)
            dealt[shard_of(case.case, len(dealt))].append(own)
            yield (
                *(case.case, case.group, case.label, case.votes, case.partition, files),
                *(content.size, content.sha256, attributes.text(case.attributes)),
            )

    def write(self, cases: Path, problems: Path, withdrawn: Path, shards: Sequence[Path]) -> None:
        """Write the table of cases, that of problems, that of withdrawn files, and for each shard
        what it is made of.

        A shard's table holds nothing but its own cases' files, so that no other case and no label
        makes it anew.
        """
        dealt: list[list[Line]] = [[] for _ in shards]
        write_lines(self._lines(dealt), COLUMNS, cases)
        write_rows(map(Problem.row, self.problems), PROBLEM_COLUMNS, problems)
        withdrawals.write(self.withdrawn, withdrawn)
        for target, own in zip(shards, dealt, strict=True):
            write_lines(own, SHARD_COLUMNS, target)


def make(raw: Path, listing: Path, withdrawn: Path | None, settings: IndexSettings) -> Index:
    """The index of the raw files in the inventory ``listing``.

    ``withdrawn``: a table of the cases to leave out; those that have a file of one of them are left
    out too. Raises UserError where labels can't be trusted or a class has no case.
    """
    entries = inventory.read(listing)
    cases, problems = _find(raw, entries, settings)
    contents = _Contents(entries, _beside(raw, cases, settings))
    gone = withdrawals.cases(withdrawn) if withdrawn else set()
    if not settings.external:
        _tell_absent(gone, cases, problems)
    left = _withdrawn_files(gone, cases, problems, contents)
    cases, problems = _leave_out(gone, cases, problems, contents)
    checks = (_readable, _different_files, _unique_files)
    for check in checks:
        cases, bad = _without(cases, check(cases, contents))
        problems += bad
    check_classes({case.case: case.label for case in cases}, settings, raw)
    log.info("%d case(s) found", len(cases) + len({each.case for each in problems if each.case}))
    return Index(sorted(cases, key=lambda case: case.case), contents, problems, left)


def _find(
    raw: Path, entries: Sequence[inventory.Entry], settings: IndexSettings
) -> tuple[list[Case], list[Problem]]:
    cases, problems = readers.reader(settings.reader).find(
        raw, [entry.path for entry in entries], settings
    )
    doubled = [case for case, count in Counter(case.case for case in cases).items() if count > 1]
    if doubled:
        raise UserError(
            f"{len(doubled)} case(s) more than once: {some(sorted(doubled))}",
            where=raw,
            remedy="give every case a name of its own",
        )
    readers.Grouping(settings.group).check([case.case for case in cases])
    strange = [case for case in cases if inventory.plain(case.case) != case.case]
    if strange:
        cases = [case for case in cases if inventory.plain(case.case) == case.case]
    problems += [
        Problem(next(iter(case.files.values())), inventory.plain(case.case), _STRANGE_NAME)
        for case in strange
    ]
    used = {file for case in [*cases, *strange] for file in case.files.values()}
    known = used | {problem.file for problem in problems}
    problems += [
        Problem(entry.path, "", inventory.WHY_UNREADABLE)
        for entry in entries
        if not entry.sha256
        and entry.path not in known
        and entry.path.rpartition("/")[0] not in used
    ]
    return cases, problems


def _withdrawn_files(
    gone: set[str], cases: Iterable[Case], problems: Iterable[Problem], contents: _Contents
) -> list[Withdrawn]:
    found = []
    for case in cases:
        if case.case in gone:
            parts = [part.path for file in case.files.values() for part in contents.parts(file)]
            found.append(Withdrawn(dict(case.files), parts))
    # Where a file is missing, the problem is the table's, which is of others too.
    files = [problem.file for problem in problems if problem.case in gone]
    bad = [file for file in files if not is_beside(file)]
    return found + [Withdrawn({}, [file]) for file in bad]


def _tell_absent(withdrawn: set[str], cases: list[Case], problems: list[Problem]) -> None:
    known = {case.case for case in cases} | {problem.case for problem in problems}
    for case in sorted(set(map(spelt, withdrawn)).difference(map(spelt, known))):
        log.warning(
            "warning: withdrawn case %s is not among the raw data: copies of it can't be told", case
        )


def _leave_out(
    withdrawn: set[str], cases: list[Case], problems: list[Problem], contents: _Contents
) -> tuple[list[Case], list[Problem]]:
    """What is left without the withdrawn cases and those that have a file of one of them."""
    if not withdrawn:
        return cases, problems
    known = {case.case for case in cases} | {problem.case for problem in problems}
    if withdrawn & known:
        log.info("withdrawn and left out: %d case(s)", len(withdrawn & known))
    holders = _holders([case for case in cases if case.case in withdrawn], contents)
    left = [case for case in cases if case.case not in withdrawn]
    copies = {case.case: list(_copies(case, holders, contents)) for case in left}
    if copied := [name for name, files in copies.items() if files]:
        log.info("left out with withdrawn cases, of which they hold copies: %s", some(copied))
    problems = [problem for problem in problems if problem.case not in withdrawn]
    return (
        [case for case in left if not copies[case.case]],
        problems + [copy for files in copies.values() for copy in files],
    )


def _holders(cases: list[Case], contents: _Contents) -> dict[str, str]:
    """The case that holds each content; files that can't be read are not compared."""
    readable, _ = _without(cases, _readable(cases, contents))
    return {
        contents.of([file]).sha256: case.case for case in readable for file in case.files.values()
    }


def _copies(case: Case, holders: Mapping[str, str], contents: _Contents) -> Iterator[Problem]:
    """The files of ``case`` that withdrawn cases hold.

    Not a fault of the raw data: as a problem of no case, none counts as a bad case.
    """
    for file in case.files.values() if holders else ():
        if twin := holders.get(contents.of([file]).sha256):
            reason = f"is a copy of withdrawn case {twin}: case {case.case} is left out with it"
            yield Problem(file, "", reason)


def _without(cases: list[Case], problems: Iterable[Problem]) -> tuple[list[Case], list[Problem]]:
    """The cases without those that have a problem, and these problems."""
    problems = list(problems)
    bad = {problem.case for problem in problems}
    return [case for case in cases if case.case not in bad] if bad else cases, problems


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
        self._at = {entry.path: entry for entry in entries}
        self._paths = sorted(self._at)

    def parts(self, file: str) -> list[inventory.Entry]:
        """The raw files behind ``file``: itself, or what is in it, and what its header names."""
        entry, others = self._at.get(file), self._beside.get(file, ())
        parts = [entry] if entry else list(self._below(file + "/"))
        return parts + [self._at[other] for other in others if other in self._at]

    def _below(self, prefix: str) -> Iterator[inventory.Entry]:
        for i in range(bisect_left(self._paths, prefix), len(self._paths)):
            if not self._paths[i].startswith(prefix):
                return
            yield self._at[self._paths[i]]

    def of(self, files: Collection[str]) -> _Content:
        """Of all ``files`` together; of a single raw file, its own."""
        if len(files) == 1 and not self._beside:
            (file,) = files
            if entry := self._at.get(file):
                return _Content(entry.size, entry.sha256)
        parts = [part for file in files for part in self.parts(file)]
        if len(parts) == 1:
            return _Content(parts[0].size, parts[0].sha256)
        size = sum(part.size for part in parts)
        text = "\n".join(part.sha256 for part in parts)
        return _Content(size, hashlib.sha256(text.encode()).hexdigest())


def _beside(raw: Path, cases: Iterable[Case], settings: IndexSettings) -> dict[str, list[str]]:
    reader = readers.reader(settings.reader)
    files = (file for case in cases for file in case.files.values())
    return {file: others for file in files if (others := reader.beside(raw, file))}


def _readable(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    for case in cases:
        for file in case.files.values():
            parts = contents.parts(file)
            bad = [part.path for part in parts if not part.sha256]
            if bad or not parts:
                yield Problem(bad[0] if bad else file, case.case, inventory.WHY_UNREADABLE)
                break


def _different_files(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    """Cases in which one file is a copy of another."""
    for case in cases:
        if len(case.files) == 1:
            continue
        sums = {role: contents.of([file]).sha256 for role, file in case.files.items()}
        for one, other in combinations(sums, 2):
            if sums[one] == sums[other]:
                yield Problem(case.files[other], case.case, f"is a copy of {case.files[one]}")
                break


def _unique_files(cases: Iterable[Case], contents: _Contents) -> Iterator[Problem]:
    """Cases that share a file with a case of another label, or some but not all of their files.

    Whole copies of one label are no problem here: the split keeps them together.
    """
    cases = list(cases)
    files = [file for case in cases for file in case.files.values()]
    often = Counter(contents.of([file]).sha256 for file in files)
    holders: dict[str, list[tuple[Case, str]]] = defaultdict(list)
    for case in cases if len(often) < len(files) else ():
        for file in case.files.values():
            if often[content := contents.of([file]).sha256] > 1:
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


def _mapping(files: Mapping[str, str]) -> str:
    """As JSON, faster than by ``json.dumps`` for many."""
    return (
        "{" + ", ".join([f"{quoted(role)}: {quoted(file)}" for role, file in files.items()]) + "}"
    )
