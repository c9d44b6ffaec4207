"""Jobs and failures in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from triage.shield import printable

_LONGEST = 25  # lines of a message
_LOG_END = 8  # lines of a log without a message


def step(rule: str) -> str:
    """The step of a rule: the index has one for each study."""
    return re.sub(r"^index-.*", "index", rule).replace("_", " ")


def title(rule: str, wildcards: Mapping[str, str]) -> str:
    """A job by its step, study and arm: ``train pneumonia cnn5, fold 0, seed 1``."""
    rest = dict(wildcards)
    names = [rest.pop(key) for key in ("study", "arm", "pretrained") if key in rest]
    return ", ".join(
        [" ".join([step(rule), *names]), *(f"{key} {value}" for key, value in rest.items())]
    )


def own_message(logs: Iterable[str]) -> str:
    """What a job that failed has to say, from its log: its error, or else its last lines."""
    for path in logs:
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        starts = [place for place, line in enumerate(lines) if line.startswith("error: ")]
        found = lines[starts[-1] :] if starts else lines[-_LOG_END:]
        if found:
            return "\n".join(map(printable, found[:_LONGEST]))
    return ""
