"""How long this process may run: the time limit of its job, and whether it is nearly up."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping

SPARE = 20.0  # seconds for leaving, beside those that a step and a save take

LEFT = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")  # squeue's [[days-]hours:]minutes:seconds


class TimeLimit:
    """Says when to stop.

    ``seconds`` from now is the end; None where there is none. Times are those of the monotonic
    clock.
    """

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds
        self._longest = 0.0
        self._checked: float | None = None

    @classmethod
    def of_job(cls, minutes: float | None = None) -> TimeLimit:
        """A limit in ``minutes``, or what is left to the SLURM job that this process belongs to."""
        return cls(slurm_seconds_left(os.environ) if minutes is None else 60 * minutes)

    @property
    def left(self) -> float:
        """Seconds until the end; infinite without one."""
        return float("inf") if self.end is None else self.end - time.monotonic()

    @property
    def left_for_work(self) -> float:
        """Seconds until the state must be saved."""
        return self.left - SPARE

    def is_near(self, saving: float) -> bool:
        """Whether there is no time for one more step and for saving, which takes so many seconds.

        To be asked after each step: the longest time between two calls is what a step may take.
        """
        now = time.monotonic()
        if self._checked is not None:
            self._longest = max(self._longest, now - self._checked)
        self._checked = now
        return self.left < SPARE + 2 * saving + self._longest


def slurm_seconds_left(environment: Mapping[str, str]) -> float | None:
    """What is left to the SLURM job named in ``environment``; None without a job or a limit."""
    job = environment.get("SLURM_JOB_ID")
    if job is None:
        return None
    if end := environment.get("SLURM_JOB_END_TIME"):  # newer versions say it
        return float(end) - time.time()
    command = ["squeue", "--noheader", "--job", job, "--format", "%L"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_left(done.stdout)


def parse_left(text: str) -> float | None:
    """Seconds of what squeue calls the time left; None for UNLIMITED and the like."""
    found = LEFT.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
