"""Which runs work in this folder, by locks that the kernel holds for as long as they live.

A lock of the kernel can't be left over, and is seen from every container and by every user of the
machine. Of other machines, on a network file system, nothing is known for certain.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from triage.errors import UserError

STATE = Path(".snakemake/engines")
FOLDER = STATE / "running"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Run:
    """A process of Snakemake, and the files that it reads and makes; ``boot`` tells kernels."""

    host: str
    boot: str
    process: int
    since: str
    inputs: list[str]
    outputs: list[str]

    def meets(self, other: Run) -> bool:
        """Whether one makes what the other reads or makes."""
        ours, theirs = set(self.outputs), set(other.outputs)
        return not (
            ours.isdisjoint(theirs)
            and ours.isdisjoint(other.inputs)
            and theirs.isdisjoint(self.inputs)
        )


@contextmanager
def held(inputs: Iterable[str], outputs: Iterable[str]) -> Iterator[IO[str]]:
    """Be alone with these files: the file is locked until it is closed, or the run ends otherwise.

    Raises UserError where another run reads or makes the same.
    """
    run = Run(
        host=socket.gethostname(),
        boot=_boot(),
        process=os.getpid(),
        since=time.strftime("%Y-%m-%d %H:%M"),
        inputs=sorted(inputs),
        outputs=sorted(outputs),
    )
    path = FOLDER / f"{run.host}-{run.process}-{time.time_ns()}.json"
    with alone():
        for other, is_alive in _others():
            if other is None or other.meets(run):
                raise _taken(other, is_alive)
        FOLDER.mkdir(parents=True, exist_ok=True)
        stream = open(path, "w", encoding="utf-8")  # noqa: SIM115 (closed below)
        _lock(stream, fcntl.LOCK_EX)
        stream.write(json.dumps(asdict(run)))
        stream.flush()
    try:
        yield stream
    finally:
        with suppress(OSError):  # that it is locked no more says the same
            path.unlink(missing_ok=True)
        stream.close()


def forget_ended() -> None:
    """Take away what runs left behind of which it can't be seen that they have ended.

    Raises UserError where one is at work.
    """
    with alone():
        for other, is_alive in _others():
            if is_alive:
                raise _taken(other, is_alive)
        for path in FOLDER.glob("*.json"):
            path.unlink(missing_ok=True)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process of this workflow is in here.

    Raises UserError where the file system has no locks.
    """
    STATE.mkdir(parents=True, exist_ok=True)
    with _opened(STATE / "busy") as stream:
        _lock(stream, fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> IO[bytes]:
    """A file to lock, which may be another user's."""
    try:
        return open(path, "ab")
    except PermissionError:
        return open(path, "rb")


def _lock(stream: IO[str] | IO[bytes], how: int) -> None:
    try:
        fcntl.flock(stream, how)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise UserError(
            f"can't lock files ({error.strerror})",
            where=f"the file system of this folder, {_file_system(Path.cwd())},",
            remedy="mount it with locks (Lustre: option flock; NFS: the lock service), or put"
            " the project on another disk",
        ) from error


def _others() -> Iterator[tuple[Run | None, bool]]:
    """Runs that have not ended for certain, and whether they are at work for certain.

    None is one that can't be read, as of another user.
    """
    for path in sorted(FOLDER.glob("*.json")):
        try:
            with open(path, "rb") as stream:
                run, is_alive = None, _is_locked(path)
                run = Run(**json.load(stream))
        except FileNotFoundError:
            continue
        except PermissionError:
            yield None, True
            continue
        except (ValueError, TypeError):
            pass  # it was cut off while it began
        if is_alive or (run is not None and run.boot != _boot()):
            yield run, is_alive
        else:
            with suppress(OSError):  # another user's, in a folder of theirs
                path.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    with _opened(path) as stream:
        try:
            _lock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        _lock(stream, fcntl.LOCK_EX)  # waits for its jobs, which notice its end, and end
        return False


def _taken(run: Run | None, is_alive: bool) -> UserError:
    who = f"process {run.process} on {run.host}, since {run.since}" if run else "of another user"
    if is_alive:
        return UserError(
            f"another run works in this folder: {who}",
            remedy="wait until it has ended, or stop it, then start again",
        )
    return UserError(
        f"a run works in this folder, or was cut off with its machine: {who}",
        remedy="wait until it has ended; if it is gone for certain, type `snakemake --unlock`",
    )


def _boot() -> str:
    """What tells this start of this kernel from all others, in every container."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # no Linux
        return socket.gethostname()


def _file_system(folder: Path) -> str:
    """The kind of file system that a folder is on, and where it is mounted."""
    best = ("unknown", "")
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, mount, kind, *_ = line.split()
            if folder.is_relative_to(mount) and len(mount) >= len(best[1]):
                best = kind, mount
    return f"{best[0]} at {best[1]}"
