"""Tables that only grow, so that a lost row is noticed: withdrawn consent, and folds.

No engine deletes them. Every row that was ever seen here is kept beside the records of this
machine, and git keeps what was committed; a table that is gone is made of both.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from triage_workflow.engines.running import STATE

from triage.data.dealing import FOLD_COLUMNS
from triage.files import write_text
from triage.shield import unshielded
from triage.training.consent import COLUMNS

Lines = dict[tuple[str, ...], str]  # by what tells them apart


@dataclass(frozen=True)
class Table:
    """A table of each study. Its first ``key`` cells tell rows apart; where ``empty``, there is one
    from the start."""

    name: str
    columns: list[str]
    key: int
    empty: bool = False

    def path(self, study: str) -> Path:
        return Path(f"data/{study}/{self.name}.csv")

    def kept(self, study: str) -> Path:
        return STATE / self.name / f"{study}.csv"

    def studies(self) -> set[str]:
        """Those that have one, here or in git."""
        tracked = map(Path, _git("ls-files", f"data/*/{self.name}.csv").split())
        here = Path("data").glob(f"*/{self.name}.csv")
        return {path.parent.name for path in (*tracked, *here)} | {
            path.stem for path in self.kept("").parent.glob("*.csv")
        }

    def here(self, study: str) -> Lines:
        return self._lines(_text(self.path(study)))

    def known(self, study: str) -> Lines:
        """All rows there ever were."""
        committed = _git("show", f"HEAD:./{self.path(study)}")
        return self._lines(committed) | self._lines(_text(self.kept(study))) | self.here(study)

    def _lines(self, text: str) -> Lines:
        return {tuple(_cells(line)[: self.key]): line for line in text.splitlines()[1:]}

    def write(self, lines: Lines, path: Path) -> None:
        write_text("\n".join([",".join(self.columns), *sorted(lines.values()), ""]), path)

    def cells(self, line: str) -> dict[str, str]:
        """A row by its columns."""
        return dict(zip(self.columns, map(unshielded, _cells(line)), strict=False))


TABLES = (Table("consent", COLUMNS, len(COLUMNS), empty=True), Table("folds", FOLD_COLUMNS, 1))


def is_kept(path: Path) -> bool:
    """Whether a path is that of such a table."""
    return any(path == table.path(path.parent.name) for table in TABLES)


def provide(studies: Iterable[str]) -> Iterator[Path]:
    """Put tables back that are gone, which are given, and empty ones that there have to be."""
    for study in studies:
        for table in TABLES:
            path = table.path(study)
            if path.exists():
                continue
            known = table.known(study)
            if known or table.empty:
                table.write(known, path)
            if known:
                yield path


def keep() -> None:
    """Remember all rows that there are."""
    for table in TABLES:
        for path in Path("data").glob(f"*/{table.name}.csv"):
            study = path.parent.name
            kept = table.kept(study)
            if _text(path) != (before := _text(kept)):
                rows = table._lines(before) | table.here(study)
                table.write(rows, kept)


def lost() -> Iterator[tuple[Path, list[dict[str, str]], Path]]:
    """Tables that lack rows they had: these rows, and a table of all, to put in place."""
    keep()
    for table in TABLES:
        for study in sorted(table.studies()):
            known, here = table.known(study), table.here(study)
            if missing := sorted(known[key] for key in known.keys() - here.keys()):
                table.write(known, table.kept(study))
                yield table.path(study), list(map(table.cells, missing)), table.kept(study)


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]), [])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    """What git prints; nothing where there is no git, or nothing committed."""
    try:
        asked = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return asked.stdout if asked.returncode == 0 else ""
