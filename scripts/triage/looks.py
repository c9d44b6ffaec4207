"""What a file shows without being opened, and how long that may be trusted."""

from __future__ import annotations

import os
import time

# Device, inode, bytes, and the times in ns of the last change of the content and of anything. The
# last one is the kernel's own: copying with `cp -p`, `touch` and clocks elsewhere don't reach it.
Look = tuple[int, ...]

# A file may change twice within one tick of its clock.
_TICK = 2_000_000_000


def look(status: os.stat_result) -> Look:
    """What is seen of a file; two equal looks mean that it was not changed in between."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def size(seen: Look) -> int:
    """The bytes of a file."""
    return seen[2]


def is_settled(seen: Look, when: int | None = None) -> bool:
    """Whether a change after ``when`` (ns, now by default) would show in another look."""
    return seen[-1] < (time.time_ns() if when is None else when) - _TICK
