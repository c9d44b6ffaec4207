"""Which of the GPUs that it may use a process takes: a lease, on a workstation or within a job.

A lease is a lock on a small file a GPU, which all users of the machine share; within a job of
SLURM, whose GPUs are nobody else's, it is the user's own. The system gives the lock back when the
process ends, in whatever way it ends, so a lease can't be left over.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from triage.command import log
from triage.errors import UserError
from triage.training import lock_files

LOCKS = Path(tempfile.gettempdir()) / "triage-gpus"
WAIT = 1.0  # seconds between looks for a GPU that became free
VISIBLE = "CUDA_VISIBLE_DEVICES"


def lease(count: int, there: int, folder: Path = LOCKS) -> None:
    """Make ``count`` of the GPUs that are ``there`` visible to this process and to no other.

    Waits until so many are free. Does nothing where CUDA_VISIBLE_DEVICES leaves no choice, as in a
    job of SLURM that has just its own; where it names more GPUs, they are chosen from. Must come
    before the process uses CUDA. Raises UserError where there never are so many.
    """
    names = choice(os.environ, there)
    if len(names) < count and there:
        raise UserError(
            f"{count} GPUs are asked for, but there are {len(names)}",
            where=f"{VISIBLE}={os.environ.get(VISIBLE, '')}",
            remedy="ask for fewer (--set-resources <rule>:gpu=1)",
        )
    if (len(names) <= count and VISIBLE in os.environ) or not names:
        return
    os.environ[VISIBLE] = ",".join(_wait_for(names, count, folder))


def choice(environment: Mapping[str, str], there: int) -> list[str]:
    """The names of the GPUs that this process may use."""
    named = environment.get(VISIBLE)
    if named is None:
        return [str(i) for i in range(there)]
    return [each.strip() for each in named.split(",") if each.strip() not in ("", "-1")]


def _wait_for(names: Sequence[str], count: int, folder: Path) -> list[str]:
    waited = False
    while True:
        found = _try_lock(names, count, folder)
        if found is not None:
            return found
        if not waited:
            log.info("waiting for %d of %d GPUs to become free", count, len(names))
            waited = True
        time.sleep(WAIT)


def _try_lock(names: Sequence[str], count: int, folder: Path) -> list[str] | None:
    """Lock ``count`` GPUs for as long as this process and what it starts live; None if too few.

    All or none, so that two who want two each do not wait for each other for ever.
    """
    held: dict[str, int] = {}
    for name in names:
        descriptor = _lock(folder, name, os.environ)
        if descriptor is not None:
            held[name] = descriptor
        if len(held) == count:
            for each in held.values():
                os.set_inheritable(each, True)
            return list(held)
    for descriptor in held.values():
        os.close(descriptor)
    return None


def _file(name: str, environment: Mapping[str, str]) -> str:
    """The name of a GPU's lock. SLURM may count each job's GPUs from 0: 0 of one job is not 0 of
    another."""
    job = environment.get("SLURM_JOB_ID")
    whole = name if job is None else f"job{job}-{name}"
    return re.sub(r"[^A-Za-z0-9-]", "_", whole) + ".lock"


def _lock(folder: Path, name: str, environment: Mapping[str, str]) -> int | None:
    """A descriptor that holds the lock of a GPU; None where another process does."""
    in_job = "SLURM_JOB_ID" in environment
    descriptor = lock_files.opened(folder, _file(name, environment), alone=in_job)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
