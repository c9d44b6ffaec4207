"""A wish to stop: SIGTERM of a scheduler ahead of a time limit or preemption, or Ctrl-C."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import NoReturn

from triage.command import log

SIGNALS = (signal.SIGTERM, signal.SIGINT)


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(each, handler)

    def leave(self) -> NoReturn:
        """End the program with the status that a shell reports for the signal."""
        log.info("stopped as asked; the state is saved, and the next start goes on from it")
        raise SystemExit(128 + (self.received or 0))

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
