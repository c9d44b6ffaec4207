"""Classification of medical images: data, networks, evaluation and report of a study.

What others use is ``Model``, trained networks for new files; it is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triage.model import Model

__all__ = ["Model"]


def __getattr__(name: str) -> Any:
    if name != "Model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from triage.model import Model

    return Model
