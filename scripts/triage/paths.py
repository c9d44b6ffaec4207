"""Paths that a file names: a lock, a manifest, an inventory. Anyone may have written them."""

from __future__ import annotations

import posixpath
from pathlib import Path

from triage.shield import printable


def inside(path: object) -> bool:
    """Whether ``path`` can only lead below the folder that it is joined to.

    That is, it is relative and normalised: no ``..``, no ``.``, no empty part, no control
    characters.
    """
    return (
        isinstance(path, str)
        and path not in ("", ".")
        and printable(path) == path
        and not set(path) & {"\n", "\t"}
        and not path.startswith("/")
        and posixpath.normpath(path) == path
        and path.split("/")[0] != ".."
    )


def through_no_link(path: str) -> bool:
    """Whether ``path`` also stays below its first folder when links are followed.

    That folder itself may be a link, as of results on a larger disk; ``path`` itself may be one.
    """
    top = Path(path.split("/")[0])
    return inside(path) and Path(path).parent.resolve().is_relative_to(top.resolve())
