"""How many threads a training has: all cores for few runs, one each for many.

A matter of the machine: it makes nothing stale. But sums that threads share out are rounded in
another order, so a run's last digits depend on it; its record says how many there were. It follows
from the settings and ``--cores`` alone, never from what is left to do, so that a run which was
stopped goes on with as many.
"""

from __future__ import annotations

import os

from triage_workflow.params import Params, Run

# Looks of a thread that waits, before it gives way. A ResNet-18 with two threads on two idle cores:
# libgomp's own 300,000 are 1.2 times as fast as none, since it takes long to be woken. On two cores
# that six jobs want they have 0.4 of the speed of none, and these 0.75 to 1.1.
LOOKS = "10000"


def let_threads_wait(cores: int) -> None:
    """Say how the threads of jobs wait for each other, unless the environment says it."""
    if "OMP_WAIT_POLICY" in os.environ:
        return
    if cores > len(os.sched_getaffinity(0)):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    else:
        os.environ.setdefault("GOMP_SPINCOUNT", LOOKS)


class Threads:
    """The threads of each run of ``params`` on ``cores``.

    Runs of one stage can go side by side; those without a network take no time. ``least`` is for
    volumes: a second thread pays there even where runs are many.
    """

    def __init__(self, params: Params, cores: int, least: int = 2) -> None:
        self.params = params
        self.cores = cores
        self.least = least
        self._places: dict[Run, int] = {}
        self._runs: dict[str, int] = {}
        for study in params.studies:
            for run in params.trained_runs(study):
                if params.arms(study)[run.arm].is_floor:
                    continue
                self._places[run] = self._runs.get(run.stage, 0)
                self._runs[run.stage] = self._places[run] + 1

    def of(self, run: Run) -> int:
        """The threads of a run that is to train."""
        if run not in self._places:
            return 1
        volumes = self.params.study(run.study)["images"]["mode"] == "volume"
        found = share(self._places[run], self._runs[run.stage], self.cores)
        return max(found, min(self.least if volumes else 1, self.cores))


def share(place: int, runs: int, cores: int) -> int:
    """The threads of one of ``runs``, at its ``place`` among them, from 0.

    As many runs as there are cores have a thread each. A few that are left over share the cores
    out; where there are twice as many runs as cores, the wait for the last ones is short.
    """
    if runs >= 2 * cores or runs == cores:
        return 1
    if runs > cores:
        if place < cores:
            return 1
        place, runs = place - cores, runs - cores
    each, rest = divmod(cores, runs)
    return each + (place < rest)
