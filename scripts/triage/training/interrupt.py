"""A wish to stop: a scheduler's SIGTERM at a time limit or preemption, Ctrl-C, or a time budget."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from triage.command import log

SIGNALS = (signal.SIGTERM, signal.SIGINT)
TRY_AGAIN = os.EX_TEMPFAIL  # exit status of a job whose time was up


class Interrupt:
    """While the block runs, a signal only leaves a note, so that the step at hand ends well.

    A second Ctrl-C stops at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None

    @property
    def requested(self) -> bool:
        return self.received is not None

    def __enter__(self) -> Interrupt:
        self._before = [signal.signal(each, self._note) for each in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(each, handler)

    def leave(self, time_is_up: bool = False) -> NoReturn:
        """End the program with the status that a shell reports for the signal."""
        if time_is_up and not self.requested:
            log.info("the time limit is near; the state is saved, and the next start goes on")
            raise SystemExit(TRY_AGAIN)
        log.info("stopped as asked; the state is saved, and the next start goes on from it")
        raise SystemExit(128 + (self.received or 0))

    def _note(self, number: int, _: object) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
