"""Finding of the file that a cell of a table means.

Names are compared as tables spell them: different systems write the same name in several ways.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from triage.data.readers import picture_files
from triage.data.readers.table_files import spelt


def stem(path: str, suffixes: tuple[str, ...]) -> str:
    """The name of a file of any system, without folders and, where it is one of some, extension."""
    name = path.replace("\\", "/").rpartition("/")[2]
    small = name.lower()
    if not small.endswith(suffixes):
        return name
    longest = max(len(each) for each in suffixes if small.endswith(each))
    return name[:-longest] or name


class Files:
    """The files below a raw folder, by path, by name and by name without extension.

    ``suffixes``: which files a name without extension may mean.
    """

    def __init__(
        self, paths: Iterable[str], suffixes: tuple[str, ...] = picture_files.EXTENSIONS
    ) -> None:
        self.by_path = {spelt(path): path for path in paths}
        self.folders: dict[str, set[str]] = defaultdict(set)  # of each folder what is in it
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.by_path, key=lambda path: (path.count("/"), path)):
            folder, _, name = path.rpartition("/")
            self._by_name[name].append(path)
            if (short := stem(name, suffixes)) != name:
                self._by_stem[short].append(path)
            while name and name not in self.folders[folder]:
                self.folders[folder].add(name)
                folder, _, name = folder.rpartition("/")

    def named(self, cell: str) -> list[str]:
        """What a cell may mean: the file of that path or, below any folders, of that name.

        The name may carry folders of another machine, and lack its extension. Shallow files first.
        """
        wanted = spelt(cell).replace("\\", "/").removeprefix("./")
        if ".." in wanted.split("/"):
            return []
        if wanted in self.by_path:
            return [self.by_path[wanted]]
        name = wanted.rpartition("/")[2]
        found = self._by_name.get(name) or self._by_stem.get(name) or []
        below = [path for path in found if path.endswith(f"/{wanted}")]
        return [self.by_path[path] for path in below or found]

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
        name = PurePosixPath(path).name
        close = difflib.get_close_matches(name, list(self._by_name)[:20_000], 1)
        return self.by_path[self._by_name[close[0]][0]] if close else ""
