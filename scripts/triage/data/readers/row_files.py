"""Which files a row of a table means: by a column with their names, or a pattern of columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from triage.data.readers import IndexSettings, picture_files, tables, volume_files
from triage.data.readers.matching import Files, stem
from triage.data.readers.tables import Row
from triage.errors import UserError

IMAGE, CHANNEL = "image", "channel"
SUFFIXES = (*picture_files.EXTENSIONS, *volume_files.EXTENSIONS, ".dcm")
_FIELD = re.compile(r"\{([^{}]+)\}")


class RowFiles:
    """``columns``: those that name the files. ``used``: all files that rows meant so far, and
    ``doubles``: others of the same name, with the one that was taken.

    Where a name without folders fits several files, the shallowest is taken if ``shallowest``, or
    else none. Raises UserError where the settings don't say which files are meant.
    """

    def __init__(self, paths: Sequence[str], settings: IndexSettings, shallowest: bool) -> None:
        self.files = Files(paths, SUFFIXES)
        self.used: set[str] = set()
        self.doubles: dict[str, str] = {}
        self.shallowest = shallowest
        self._file, self._pattern = settings.columns.file, settings.columns.pattern
        self.channels = settings.channels
        self.columns = self._named_columns()
        self._shape = self._shape_of(self._pattern) if self._pattern else None

    def _named_columns(self) -> list[str]:
        if (self._file is None) == (self._pattern is None):
            raise UserError(
                "one of file and pattern has to be set",
                where="index.columns",
                remedy="file: the column with the file's name; or pattern: images/{column}.jpg",
            )
        if self._file is not None:
            columns = dict(self._file) if isinstance(self._file, Mapping) else {}
            if set(columns) != set(self.channels):
                raise UserError(
                    f"index.channels are {', '.join(self.channels) or 'none'}, and the columns "
                    f"are those of {', '.join(columns) or 'one file a case'}",
                    where="index.columns.file",
                    remedy="name a column for each channel, {CT: scan}, or take out channels",
                )
            return list(columns.values()) or [str(self._file)]
        names = _FIELD.findall(str(self._pattern))
        if (CHANNEL in names) != bool(self.channels):
            raise UserError(
                f"{self._pattern} and index.channels don't fit together",
                where="index.columns.pattern",
                remedy="list the channels, and write {channel} where their names stand",
            )
        if not set(names) - {CHANNEL}:
            raise UserError(
                f"{self._pattern} names no column",
                where="index.columns.pattern",
                remedy="write the columns in braces, as in images/{image_id}.jpg",
            )
        return [name for name in dict.fromkeys(names) if name != CHANNEL]

    def name(self, row: Row) -> str:
        """What tells a row from others: the cells that name its files."""
        return "/".join([tables.filled(row, column) for column in self.columns])

    def case(self, row: Row) -> str:
        """What the case is called: like its file, or like the cells of the pattern."""
        if self._pattern is not None:
            return "_".join(row[column] for column in self.columns)
        return stem(row[self.columns[0]], SUFFIXES)

    def wanted(self, row: Row) -> dict[str, str]:
        """What the row calls the file of each channel."""
        if isinstance(self._file, Mapping):
            return {role: row[column] for role, column in self._file.items()}
        if self._file is not None:
            return {IMAGE: row[self._file]}
        return {role: self._filled(role, row) for role in self.channels or (IMAGE,)}

    def _filled(self, role: str, row: Row) -> str:
        cells = row.cells | {CHANNEL: role}
        return _FIELD.sub(lambda found: cells[found[1]], str(self._pattern))

    def found(self, row: Row) -> dict[str, list[str]]:
        """The files that each channel of a row may mean."""
        found = {role: self._at(wanted) for role, wanted in self.wanted(row).items()}
        for files in found.values():
            self.used.update(files)
        return found

    def _at(self, wanted: str) -> list[str]:
        if self._pattern is not None:
            return self.files.at(wanted)
        found = self.files.named(wanted) or self.files.at(wanted)
        if self.shallowest and len(found) > 1:
            self.doubles.update(dict.fromkeys(found[1:], found[0]))
            return found[:1]
        return found

    def unused(self) -> list[str]:
        """The images that no row meant; with a pattern, those that look like it."""
        return [path for path in sorted(self.files.by_path.values()) if self._is_unused(path)]

    def _is_unused(self, path: str) -> bool:
        if path in self.used or not path.lower().endswith(SUFFIXES):
            return False
        folder = path
        while folder := folder.rpartition("/")[0]:
            if folder in self.used:
                return False
        return self._shape is None or bool(self._shape.fullmatch(path))

    def _shape_of(self, pattern: str) -> re.Pattern[str]:
        """What the paths of a pattern look like."""
        channels = "|".join(map(re.escape, self.channels))
        known = {"*": "[^/]*", f"{{{CHANNEL}}}": f"(?:{channels})"}
        parts = re.split(r"(\{[^{}]+\}|\*)", pattern)
        shape = [
            known.get(part) or ("[^/]+" if part.startswith("{") else re.escape(part))
            for part in parts
        ]
        return re.compile("".join(shape))
