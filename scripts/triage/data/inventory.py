"""The inventory of raw data: every file with its size and checksum, in one small table.

A folder of raw files is no file; its inventory is, and stands for it in the workflow. A refresh
looks at every file, and reads only those that look other than before.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import io
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from triage import files, looks
from triage.errors import UserError
from triage.files import sha256, write_text
from triage.looks import Look
from triage.shield import shielded, unshielded

WHY_UNREADABLE = (
    "can't be read: no permission, a broken link, no plain file, or a name with control characters"
    " or bytes that are no UTF-8"
)
COLUMNS = ["path", "size", "sha256"]
_MAX_DEPTH = 32
_THREADS = 8
_PART = 64  # files that a thread takes at once


@dataclass(slots=True)
class Entry:
    """A raw file: path relative to the raw folder, bytes, checksum (empty: can't be read)."""

    path: str
    size: int
    sha256: str


_NO_LOOK: Look = (0, 0, 0, 0, 0)
# Control characters and line ends, which tables can't hold safely, and bytes that are no UTF-8.
_CONTROL = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
_SPELT_OUT = {code: f"\\x{code:02x}" for code in _CONTROL}
_STRANGE = re.compile(f"[{re.escape(''.join(map(chr, _CONTROL)))}\ud800-\udfff]")


def refresh(raw: Path, inventory: Path, cache: Path) -> bool:
    """Bring the table ``inventory`` up to date with the files below ``raw``.

    ``cache`` is a scratch file with the checksums of the last time; it may be deleted. Returns
    whether the table changed; a table that is right already is not written. Raises UserError when
    there is no such folder.
    """
    if not raw.is_dir():
        raise UserError(
            "is no folder", where=raw, remedy="set the study's raw folder to where its files are"
        )
    started = time.time_ns()
    table_sum, known = _read_cache(cache)
    seen = dict(walk(raw))
    if not seen:
        _refuse_empty(raw, len(known) or max(0, _old_bytes(inventory).count(b"\n") - 1))
    changed = [path for path, look in seen.items() if known.get(path, [])[:-1] != [*look]]
    if not changed and len(known) == len(seen) and _sum(_old_bytes(inventory)) == table_sum:
        return False
    sums = {path: str(known[path][-1]) for path in seen.keys() & known.keys()}
    sums.update(_hash(raw, changed))
    table = _table(seen, sums)
    known = _settled(seen, sums, started)
    write_text(json.dumps({"table": _sum(table), "files": known}), cache)
    if table == _old_bytes(inventory):
        return False
    write_text(table.decode("utf-8"), inventory)
    return True


def _refuse_empty(raw: Path, before: int) -> None:
    """Raise UserError where a folder that held files holds none: its disk may not be mounted."""
    if before:
        raise UserError(
            f"is empty, and held {before} file(s) the last time",
            where=raw,
            remedy="is its disk mounted? If all files are really gone, take the study out of "
            "params.yaml",
        )


def write(raw: Path, inventory: Path) -> None:
    """Write the inventory of ``raw``, reading every file."""
    seen = dict(walk(raw))
    write_text(_table(seen, _hash(raw, list(seen))).decode("utf-8"), inventory)


def read(inventory: Path) -> list[Entry]:
    """The entries of an inventory."""
    try:
        # Names may hold any character, so that lines can't be told apart before they are parsed.
        with open(files.plain(inventory), encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            if next(rows, None) != COLUMNS:
                raise ValueError("has other columns")
            return [Entry(unshielded(path), int(size), digest) for path, size, digest in rows]
    except FileNotFoundError as error:
        raise UserError("is not there", where=inventory, remedy="make it first") from error
    except (OSError, ValueError, csv.Error) as error:
        remedy = "delete it; it is made again from the raw files"
        raise UserError("is damaged", where=inventory, remedy=remedy) from error


def walk(raw: Path) -> Iterator[tuple[str, Look]]:
    """All files below ``raw``, through links to folders too.

    A folder is visited once, by its own path if it has one below ``raw``, so that links can neither
    lead round in a circle nor double it level by level. Each file as ``plain`` has it, with what is
    seen of it. A folder that can't be read counts as a file.
    """
    # Those with the fewest links on their way come first, then by their paths.
    waiting: list[tuple[int, str, str]] = [(0, "", os.fspath(raw))]
    visited: set[tuple[int, int]] = set()
    while waiting:
        links, prefix, folder = heapq.heappop(waiting)
        try:
            status = Path(folder).stat()
            own = (status.st_dev, status.st_ino)
            if own in visited or prefix.count("/") > _MAX_DEPTH:
                continue
            visited.add(own)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_hidden(entry.name):
                        continue
                    path = prefix + entry.name
                    if _is_folder(entry):
                        links_to = links + entry.is_symlink()
                        heapq.heappush(waiting, (links_to, path + "/", entry.path))
                    else:
                        yield plain(path), _look(entry)
        except OSError:
            yield plain(prefix.rstrip("/")), _NO_LOOK


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system and not to the data."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file: no broken link, and no pipe or device, which one may wait for."""
    try:
        return path.is_file()
    except OSError:
        return False


def _look(entry: os.DirEntry[str]) -> Look:
    try:
        status = entry.stat()
    except OSError:
        return _NO_LOOK
    return looks.look(status)


def plain(path: str) -> str:
    """``path``, with control characters and bytes that are no UTF-8 spelt out.

    A file is not found under such a name, so it counts as one that can't be read.
    """
    if not _STRANGE.search(path):
        return path
    return os.fsencode(path).decode("utf-8", "backslashreplace").translate(_SPELT_OUT)


def _hash(raw: Path, paths: list[str]) -> dict[str, str]:
    """The checksum of each of ``paths``, empty for what can't be read."""

    def some(part: list[str]) -> list[str]:
        return [_sha256(raw / path) for path in part]

    parts = [paths[start : start + _PART] for start in range(0, len(paths), _PART)]
    with ThreadPoolExecutor(_THREADS) as pool:
        sums = [digest for part in pool.map(some, parts) for digest in part]
    return dict(zip(paths, sums, strict=True))


def _sha256(path: Path) -> str:
    try:
        return sha256(path) if is_file(path) else ""
    except OSError:
        return ""


def _table(seen: dict[str, Look], sums: dict[str, str]) -> bytes:
    """The inventory as it is written. A file that can't be read has neither size nor checksum."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (shielded(path), looks.size(seen[path]) if sums[path] else 0, sums[path])
        for path in sorted(seen)
    )
    return text.getvalue().encode("utf-8")


def _old_bytes(inventory: Path) -> bytes:
    try:
        return inventory.read_bytes()
    except OSError:
        return b""


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _settled(
    seen: dict[str, Look], sums: dict[str, str], started: int
) -> dict[str, list[int | str]]:
    """What need not be read again the next time, as long as it looks the same."""
    return {
        path: [*look, sums[path]]
        for path, look in seen.items()
        if sums[path] and looks.is_settled(look, started)
    }


def _read_cache(cache: Path) -> tuple[str, dict[str, list[int | str]]]:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        files = {path: row for path, row in content["files"].items() if len(row) == 6}
        return content["table"], files
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}  # a lost or damaged cache only costs time
