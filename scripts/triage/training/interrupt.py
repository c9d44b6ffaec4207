"""A scheduler's wish to stop: SIGTERM ahead of a time limit or a preemption."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import NoReturn

from triage.command import log

STATUS = 143  # what a shell reports for a program that SIGTERM ended


class Interrupt:
    """While the block runs, SIGTERM only leaves a note, so that the step at hand ends well."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def leave(self) -> NoReturn:
        log.info("stopped as asked; the state is saved, and the next start goes on from it")
        raise SystemExit(STATUS)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
