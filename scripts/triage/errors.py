"""Errors that are meant for the person who runs the workflow, not for its developer."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

from triage.shield import printable

# Errors that only come of writing, and that no program can help.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class UserError(Exception):
    """A mistake that a person can mend: in the data, in a setting, in a command.

    The message says what is wrong; ``where`` names the file, row or key; ``remedy`` says what is
    allowed or what to do. It is printed as it is, without a traceback.
    """

    def __init__(self, what: str, *, where: object = "", remedy: str = "") -> None:
        lines = [f"{where}: {what}" if where else what]
        if remedy:
            lines.append(f"  -> {remedy}")
        super().__init__(printable("\n".join(lines)))


def unwritable(where: object, error: OSError) -> UserError:
    """What is said of a file or folder that can't be written."""
    return UserError(
        f"can't be written ({error.strerror or error})",
        where=where,
        remedy="free some space or make the folder writable, then start again",
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """ "did you mean ...? " where one of ``known`` is spelt almost like ``name``, or else empty."""
    by_small = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_small, 1)
    return f"did you mean {by_small[close[0]]}? " if close else ""
