"""Processes that must not outlive what started them."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time

# The environment names a file that whoever started this process keeps locked while it lives.
ENDS_WITH = "TRIAGE_ENDS_WITH"
# Seconds to save what was reached, before the process is killed.
_PATIENCE = 30


def end_with_starter() -> None:
    """Stop this process as SIGTERM would when whoever started it is gone, however it ended.

    Until it has ended it holds a share of the lock, so that the next one can wait for it.
    """
    if place := os.environ.get(ENDS_WITH):
        threading.Thread(target=_wait_for_end, args=(place,), daemon=True).start()


def _wait_for_end(place: str) -> None:
    try:
        stream = open(place, "rb")  # noqa: SIM115 (open until the process ends)
        fcntl.flock(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        pass  # it ended before this process began
    except OSError:
        return  # not to be known here
    print("stopped, since the run that this step belongs to is over", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)
