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
from triage.looks import Look, is_settled, look, size

_THREADS = min(8, os.cpu_count() or 1)


class Contents:
    """The SHA-256 of files, read only where a file looks other than the last time.

    ``cache`` keeps them between runs; it may be deleted, which only costs time.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        # The look at each file, its checksum, and when it was read.
        self._known: dict[str, tuple[Look, str, int]] = _read(cache)
        self._changed = False

    def sha256(self, path: str) -> str | None:
        """The checksum of a file, or None where there is no file."""
        seen = _look(path)
        if seen is None:
            return None
        known = self._known.get(path)
        if known is None or known[0] != seen:
            now = time.time_ns()
            known = seen, sha256(Path(path)), now
            self._known[path] = known
            self._changed = True
        return known[1]

    def of(self, paths: Iterable[str]) -> dict[str, str]:
        """The checksum of each of ``paths``, empty where there is no file."""
        return {path: self.sha256(path) or "" for path in paths}

    def unread(self, paths: Iterable[str]) -> dict[str, int]:
        """The size of each of ``paths`` that would have to be read."""
        looks = {path: _look(path) for path in dict.fromkeys(paths)}
        return {
            path: size(seen)
            for path, seen in looks.items()
            if seen and (path not in self._known or self._known[path][0] != seen)
        }

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
            path: [seen, digest, read]
            for path, (seen, digest, read) in self._known.items()
            if is_settled(seen, read) and Path(path).exists()
        }
        write_text(json.dumps(settled, separators=(",", ":")), self._cache)
        self._changed = False


def _look(path: str) -> Look | None:
    try:
        status = os.stat(path)  # noqa: PTH116 (a Path costs more than the call)
    except OSError:
        return None
    return look(status) if stat.S_ISREG(status.st_mode) else None


def _read(cache: Path) -> dict[str, tuple[Look, str, int]]:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return {path: (tuple(seen), digest, read) for path, (seen, digest, read) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
