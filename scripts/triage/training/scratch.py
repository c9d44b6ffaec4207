"""States that trainings leave in the scratch folder, and for how long.

A state of a training that has ended is kept for one of more epochs. It takes about four times the
room of the weights, so old ones are emptied, and only a share of the disk is used.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

DAYS = 30  # after which nobody goes on from a state
SHARE = 0.1  # of the room on the disk, for the states of trainings that have ended
UNFINISHED = ("*.state", "*.previous")
ENDED = "*.ended"


def old(folder: Path) -> list[Path]:
    """All states below ``folder`` that nobody went on from for a long time."""
    seen = (each for kind in (*UNFINISHED, ENDED) for each in _seen(folder, kind))
    return sorted(path for status, path in seen if _is_old(status))


def limit_ended(folder: Path) -> None:
    """Empty states of ended trainings that are old, and the oldest where they take too much room.

    An empty file says that there was such a training. States of unfinished ones are left alone.
    """
    seen = sorted(_seen(folder, ENDED), key=lambda each: each[0].st_mtime)
    used = sum(status.st_size for status, _ in seen)
    room = SHARE * (shutil.disk_usage(folder).free + used)
    for status, path in seen:
        if used > room or _is_old(status):
            used -= status.st_size
            with suppress(OSError):  # another user's
                os.truncate(path, 0)


def _seen(folder: Path, kind: str) -> Iterator[tuple[os.stat_result, Path]]:
    """Files with their status, without those that other jobs delete meanwhile."""
    for path in folder.glob(kind):
        with suppress(FileNotFoundError):
            yield path.stat(), path


def _is_old(status: os.stat_result) -> bool:
    return status.st_mtime < time.time() - DAYS * 24 * 60 * 60
