"""Regular expressions over names from data: some take for ever on a name made for it."""

from __future__ import annotations

import re
import signal
import threading
from typing import NoReturn

from triage.errors import UserError

SECONDS = 2.0  # for one name, which takes microseconds as a rule


class Pattern:
    """A regular expression that gives up on a name that takes it too long.

    Raises UserError with ``where`` and ``remedy`` for a text that is none.
    """

    def __init__(self, text: str, where: str, remedy: str) -> None:
        self._where = where
        try:
            self._pattern = re.compile(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise UserError(
                f"{text!r} is no regular expression ({error})", where=where, remedy=remedy
            ) from error
        self.groups = self._pattern.groups
        # Only a main thread is told of alarms; matching looks for them now and then.
        self._bounded = threading.current_thread() is threading.main_thread()
        if self._bounded:
            signal.signal(signal.SIGALRM, _stop)

    def search(self, name: str) -> re.Match[str] | None:
        """The first match in ``name``. Raises UserError where that takes too long."""
        if not self._bounded:
            return self._pattern.search(name)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            return self._pattern.search(name)
        except _TooSlow:
            raise UserError(
                f"{self._pattern.pattern!r} takes more than {SECONDS:g} s on the name {name!r}",
                where=self._where,
                remedy="repeat nothing that is repeated inside, as (a+)+ does; write a+",
            ) from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


class _TooSlow(Exception):
    pass


def _stop(*_: object) -> NoReturn:
    raise _TooSlow
