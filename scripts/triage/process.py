"""What a process asks of the system: to end with its parent, and to keep memory that it frees."""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
# From malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD.
_MALLOPT = {-4: 0, -1: 2**31 - 1, -2: 64 << 20}
_library = ctypes.CDLL(None)


def end_with_parent(parent: int | None = None) -> None:
    """Let the system kill this process when its parent ends, in whatever way that ends.

    ``parent``: the number that it should have; one that is dead already can't be noticed else.
    """
    with suppress(AttributeError):  # only Linux has it
        _library.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def keep_freed_memory() -> None:
    """Let the C library reuse large blocks instead of giving them back each time.

    They are else mapped anew, and the kernel clears them: for every layer of every step, up to
    half of the time of a small network on large images; for every picture that is decoded, more
    than decoding.
    """
    with suppress(AttributeError):  # only glibc has it
        for option, value in _MALLOPT.items():
            _library.mallopt(option, value)
