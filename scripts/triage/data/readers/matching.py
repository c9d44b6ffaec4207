"""Finding of the file that a cell of a table means.

Names are compared as tables spell them: different systems write the same name in several ways.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice

from triage.data.readers import picture_files
from triage.data.spelling import spelt


def stem(path: str, suffixes: tuple[str, ...]) -> str:
    """The name of a file of any system, without folders and, where it is one of some, extension."""
    name = path.replace("\\", "/").rpartition("/")[2]
    if "." not in name:
        return name
    before, _, last = name.rpartition(".")
    if "." in before:
        longer = f".{before.rpartition('.')[2]}.{last}"
        if longer.lower() in suffixes:
            return name[: -len(longer)] or name
    return before or name if f".{last.lower()}" in suffixes else name


class Files:
    """The files below a raw folder, by path, by name and by name without extension.

    ``suffixes``: which files a name without extension may mean.
    """

    def __init__(
        self, paths: Iterable[str], suffixes: tuple[str, ...] = picture_files.EXTENSIONS
    ) -> None:
        self.by_path: dict[str, str] = {}
        for path in paths:
            if self.by_path.setdefault(spelt(path), path) is not path:
                self.by_path[f"{path}\0"] = path  # named by nothing, but there
        self._suffixes = suffixes
        self._by_stem: dict[str, str] = {}
        self._more: dict[str, list[str]] = defaultdict(list)  # others of the same stem
        for path in self.by_path:
            if self._by_stem.setdefault(short := stem(path, suffixes), path) != path:
                self._more[short].append(path)

    @cached_property
    def folders(self) -> dict[str, set[str]]:
        """Of each folder what is in it."""
        found: dict[str, set[str]] = defaultdict(set)
        for path in self.by_path:
            folder, _, name = path.rpartition("/")
            while name and name not in found[folder]:
                found[folder].add(name)
                folder, _, name = folder.rpartition("/")
        return found

    def _of_stem(self, short: str) -> list[str]:
        first = self._by_stem.get(short)
        if first is None or short not in self._more:
            return [first] if first else []
        return sorted([first, *self._more[short]], key=lambda path: (path.count("/"), path))

    def named(self, cell: str) -> list[str]:
        """What a cell may mean: the file of that path or, below any folders, of that name.

        The name may carry folders of another machine, and lack its extension. Shallow files first.
        """
        only = self._by_stem.get(cell)
        if only and "." not in cell and cell not in self._more:  # as in most tables, and fast
            return [self.by_path[only]]
        wanted = spelt(cell).replace("\\", "/").removeprefix("./")
        if ".." in wanted and ".." in wanted.split("/"):
            return []
        if wanted in self.by_path:
            return [self.by_path[wanted]]
        name = wanted.rpartition("/")[2]
        short = stem(name, self._suffixes)
        found = self._of_stem(short)
        exact = [path for path in found if _name(path) == name]
        found = exact or (found if short == name else self._of_stem(name))
        if len(found) > 1:
            found = [path for path in found if path.endswith(f"/{wanted}")] or found
        return [self.by_path[path] for path in found]

    def at(self, pattern: str) -> list[str]:
        """The files or folders at a path, whose last part may hold ``*``."""
        wanted = spelt(pattern)
        if wanted in self.by_path:
            return [self.by_path[wanted]]
        folder, _, name = wanted.rpartition("/")
        inside = self.folders.get(folder, ())
        names = [name] if name in inside else []
        if "*" in name:
            names = sorted(each for each in inside if fnmatchcase(each, name))
        found = [f"{folder}/{each}".lstrip("/") for each in names]
        return [self.by_path.get(path, path) for path in found]

    def nearest(self, path: str) -> str:
        """The name that is most like that of ``path``, or empty."""
        named = {_name(other): other for other in reversed([*islice(self.by_path, 20_000)])}
        close = difflib.get_close_matches(_name(path), named, 1)
        return self.by_path[named[close[0]]] if close else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]
