"""Estimates of metrics.json in words, with the reason for what they lack or leave out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from triage.report.words import NAMED, few

# What the evaluation says of a mean over classes that leaves some out, or that there is none of.
LEFT_OUT = re.compile(r"(?:over \d+ of \d+ classes: )?undefined for (.+)")
UNCALLED = re.compile(r"no case is called (.+)")

Json = Mapping[str, Any]


def in_words(estimate: Json, classes: int) -> str:
    """A value, its interval, and what is to be known of them; ``classes``: of the study."""
    reason = shortened(estimate["reason"] or "", classes)
    if estimate["value"] is None:
        return f"undefined: {reason}"
    fixed = estimate["low"] == estimate["high"]
    interval = "" if fixed else f"{estimate['low']:.3f} to {estimate['high']:.3f}"
    return f"{estimate['value']:.3f} ({'; '.join(filter(None, (interval, reason)))})"


def shortened(reason: str, classes: int) -> str:
    """A reason with the classes that it is about counted, and named where they are few."""
    return "; ".join(_shortened(part, classes) for part in reason.split("; "))


def _shortened(part: str, classes: int) -> str:
    uncalled = UNCALLED.fullmatch(part)
    if uncalled and len(names := uncalled[1].split(" or ")) > NAMED:
        return f"no case is called positive for {few(names, classes)}"
    names = _left_out(part)
    if not names:
        return part
    if len(names) >= classes:
        return f"in all {classes} classes"
    which = f": undefined for {few(names, classes)}" if len(names) <= NAMED else ""
    return f"over {classes - len(names)} of {classes} classes{which}"


def _left_out(reason: str) -> list[str]:
    """The classes that a mean leaves out."""
    found = LEFT_OUT.fullmatch(reason)
    return found[1].split(", ") if found else []


def classes_counted(pages: Sequence[Json], metric: str) -> str:
    """Over how many classes the means of some runs go, where not over all; empty else.

    ``pages`` are the runs' metrics on a part, as metrics.json has them.
    """
    found = {_counted(page["metrics"].get(metric), len(page.get("classes", ()))) for page in pages}
    if found <= {""}:
        return ""
    return found.pop() if len(found) == 1 else "in some runs not over all classes"


def _counted(estimate: Json | None, classes: int) -> str:
    if not estimate or estimate["value"] is None:
        return ""
    parts = (estimate["reason"] or "").split("; ")
    names = [name for part in parts for name in _left_out(part)]
    return f"over {classes - len(names)} of {classes} classes" if names else ""
