"""Which runs work in this folder: a lock that is held is told from one that is left over."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from snakemake.exceptions import LockException

from triage_workflow.engines.knowledge import STATE, alone

from triage.errors import NO_ROOM, UserError, unwritable
from triage.files import write_text

FOLDER = STATE / "running"


@dataclass(frozen=True)
class Run:
    """A process of Snakemake; ``born`` tells it from a later one with the same number."""

    host: str
    process: int
    born: str
    since: str

    @classmethod
    def this(cls) -> Run:
        process = os.getpid()
        return cls(socket.gethostname(), process, _born(process), time.strftime("%Y-%m-%d %H:%M"))

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended for certain; of other machines that can't be known."""
        return self.is_here and _born(self.process) != self.born


@contextmanager
def held(lock: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Hold Snakemake's ``lock``, which only looks for others before it takes it.

    Ends the program with what to do where the folder is locked, or can't be written meanwhile.
    """
    with ExitStack() as stack:
        try:
            with alone():
                stack.enter_context(lock())
                stack.enter_context(_announced())
            yield
        except LockException:
            raise SystemExit(f"error: {_locked()}") from None
        except UserError as error:
            raise SystemExit(f"error: {error}") from None
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise SystemExit(
                f"error: {unwritable(error.filename or '.snakemake', error)}"
            ) from None


def refuse_to_break() -> None:
    """End the program where a lock is to be removed that is held."""
    if here := [run for run in _others() if run.is_here]:
        raise SystemExit(f"error: {_working(here[0])}")


def mend_dvc() -> None:
    """Remove DVC's list of locks if DVC was killed while it wrote it: it would not start again."""
    path = Path(".dvc/tmp/rwlock")
    with suppress(OSError), open(path.with_suffix(".lock"), "rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else DVC is writing it now
        try:
            json.loads(path.read_bytes())
        except ValueError:
            path.unlink()


@contextmanager
def _announced() -> Iterator[None]:
    for path, run in _all():
        if run.is_gone:
            path.unlink(missing_ok=True)
    run = Run.this()
    path = FOLDER / f"{run.host}-{run.process}.json"
    write_text(json.dumps(asdict(run)), path)
    try:
        yield
    finally:
        with suppress(OSError):  # that the process ends says the same
            path.unlink(missing_ok=True)


def _locked() -> UserError:
    others = sorted(_others(), key=lambda run: not run.is_here)
    if others:
        return _working(others[0])
    return UserError(
        "the folder is locked by a run that was killed",
        remedy="type `snakemake --unlock`, then start again: it goes on where that one stopped",
    )


def _working(run: Run) -> UserError:
    if run.is_here:
        return UserError(
            f"another run works in this folder: process {run.process}, since {run.since}",
            remedy="wait until it has ended, or stop it, then start again",
        )
    return UserError(
        f"a run works in this folder, or was killed: process {run.process} on {run.host},"
        f" since {run.since}",
        remedy="wait until it has ended; if it was killed, type `snakemake --unlock`",
    )


def _others() -> list[Run]:
    return [run for _, run in _all() if not run.is_gone]


def _all() -> Iterator[tuple[Path, Run]]:
    for path in sorted(FOLDER.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            yield path, Run(**json.loads(path.read_text(encoding="utf-8")))


def _born(process: int) -> str:
    """When a process of this machine started, in the kernel's ticks; empty if there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    state, *rest = status.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]
