"""Checksums of files, remembered as long as a file looks the same."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from triage.files import sha256, write_text

# A file may change twice within one tick of its clock; so young a time is not remembered.
_YOUNG = 2_000_000_000
_THREADS = min(8, os.cpu_count() or 1)

# What a look at a file without opening it shows: size, time of change in ns, inode.
_Look = tuple[int, int, int]


class Contents:
    """The SHA-256 of files, read only where size, time or inode differ from the last time.

    ``cache`` keeps them between runs; it may be deleted, which only costs time.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._known: dict[str, tuple[_Look, str, int]] = _read(cache)
        self._changed = False

    def sha256(self, path: str) -> str | None:
        """The checksum of a file, or None where there is no file."""
        look = _look(path)
        if look is None:
            return None
        known = self._known.get(path)
        if known is None or known[0] != look:
            now = time.time_ns()
            known = look, sha256(Path(path)), now
            self._known[path] = known
            self._changed = True
        return known[1]

    def unread(self, paths: Iterable[str]) -> dict[str, int]:
        """The size of each of ``paths`` that would have to be read."""
        found = {}
        for path in dict.fromkeys(paths):
            look = _look(path)
            if look and (path not in self._known or self._known[path][0] != look):
                found[path] = look[0]
        return found

    def read(self, paths: Iterable[str]) -> None:
        """Take the checksums of many files at once, side by side."""
        paths = list(self.unread(paths))
        if len(paths) == 1:
            self.sha256(paths[0])
        elif paths:
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(self.sha256, paths))

    def save(self) -> None:
        """Keep what was learnt for the next run."""
        if not self._changed:
            return
        settled = {
            path: [*look, digest, read]
            for path, (look, digest, read) in self._known.items()
            if look[1] < read - _YOUNG and Path(path).exists()
        }
        write_text(json.dumps(settled, separators=(",", ":")), self._cache)
        self._changed = False


def _look(path: str) -> _Look | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _read(cache: Path) -> dict[str, tuple[_Look, str, int]]:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return {
            path: ((size, mtime, inode), digest, read)
            for path, (size, mtime, inode, digest, read) in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
