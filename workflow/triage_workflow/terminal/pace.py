"""How long a run still takes, from how long jobs of each step took in it and before."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from triage.errors import UserError
from triage.files import write_text

MEMORY = Path(".snakemake/engines/pace.json")


class Pace:
    """Seconds a job of each step, as far as jobs of it have ended here, now or earlier."""

    def __init__(self, steps: Mapping[str, int], memory: Path = MEMORY) -> None:
        self._memory = memory
        self._left = Counter(steps)
        self._seconds: dict[str, list[float]] = {}
        self._begun = time.monotonic()
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
            self._known = {str(step): float(seconds) for step, seconds in known.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._known = {}

    def ended(self, step: str, seconds: float | None) -> None:
        """Count a job that has ended; one that was not needed took no seconds."""
        self._left[step] -= 1
        if seconds is not None:
            self._seconds.setdefault(step, []).append(seconds)

    def left(self, running: Iterable[tuple[str, float]]) -> float | None:
        """Seconds until the end; None if unknown.

        ``running`` are the steps of jobs and the seconds that each has had: one that takes longer
        than others of its step takes nothing off what the jobs after it will need.
        """
        means = self._means()
        if not means:
            return None
        usual = sum(means.values()) / len(means)
        had = list(running)
        spent = sum(min(seconds, means.get(step, usual)) for step, seconds in had)
        # Lists, since another thread may count a job meanwhile.
        work = sum(count * means.get(step, usual) for step, count in list(self._left.items()))
        done = sum(map(sum, list(self._seconds.values()))) + sum(seconds for _, seconds in had)
        at_once = done / max(time.monotonic() - self._begun, 1.0)
        fewest, most = max(1, len(had)), os.cpu_count() or 1
        return max(work - spent, 0.0) / min(max(at_once, fewest), max(most, fewest))

    def keep(self) -> None:
        """Write down what was seen, for the next run; that is lost where it can't be written."""
        with suppress(OSError, UserError):
            rounded = {step: round(mean, 2) for step, mean in sorted(self._means().items())}
            write_text(json.dumps(rounded), self._memory)

    def _means(self) -> dict[str, float]:
        now = {step: sum(each) / len(each) for step, each in list(self._seconds.items())}
        return self._known | now
